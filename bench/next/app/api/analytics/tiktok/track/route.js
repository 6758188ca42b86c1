// The former Next.js implementation as a route: parse, hash, send one request to TikTok per event, then answer.
import { createHash } from 'node:crypto';
import { NextResponse } from 'next/server';

const hashed = (text) => text && createHash('sha256').update(text.trim().toLowerCase()).digest('hex');

export async function POST(request) {
  try {
    const { event, event_id, properties, user, page } = await request.json();
    const answer = await fetch(`${process.env.SINK}/open_api/v1.3/event/track/`, {
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
    const { code, message } = await answer.json();
    return NextResponse.json({ success: code === 0, message });
  } catch (error) {
    return NextResponse.json({ success: false, error: String(error) }, { status: 500 });
  }
}
