// With `EXPORT`, Next.js builds the static export. No option is for the SDK.
export default process.env.EXPORT ? { output: 'export', distDir: 'export' } : {}
