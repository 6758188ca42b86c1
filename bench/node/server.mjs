// The former Next.js implementation, rewritten in plain Node: parse, hash, send one request to TikTok per event, then answer.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

const sink = `${process.env.SINK}/open_api/v1.3/event/track/`;
const hashed = (text) => text && createHash('sha256').update(text.trim().toLowerCase()).digest('hex');

async function track(body) {
  const { event, event_id, properties, user, page } = JSON.parse(body);
  const answer = await fetch(sink, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'access-token': 'none' },
    body: JSON.stringify({
      event_source: 'web',
      event_source_id: 'CDUETBENCH0000000001',
      data: [{
        event,
        event_id,
        event_time: Math.floor(Date.now() / 1000),
        user: { ...user, email: hashed(user.email), phone: hashed(user.phone), external_id: hashed(user.external_id) },
        properties,
        page,
      }],
    }),
  });
  return answer.json();
}

createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', async () => {
    let status = 200;
    let answer;
    try {
      const { code, message } = await track(Buffer.concat(chunks).toString());
      answer = { success: code === 0, message };
    } catch (error) {
      status = 500;
      answer = { success: false, error: String(error) };
    }
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
}).listen(process.env.PORT, '127.0.0.1');
