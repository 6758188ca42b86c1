// `EXPORT` asks for the static export; nothing here is for the SDK.
export default process.env.EXPORT ? { output: 'export', distDir: 'export' } : {}
