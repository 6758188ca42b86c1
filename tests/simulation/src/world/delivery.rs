//! What happens between the couriers and TikTok.

use super::{
    FIRST_CLASS_MS, MINUTE_MS, Named, Reply, RequestId, Sent, ShopOrder, Value, What, World, clock,
    tiktok, told,
};

impl World {
    pub(super) fn tiktok_hears(&mut self, epoch: u64, sent: &Sent) {
        let events = sent.events();
        let (reply, is_calm) = self.tiktok.hears(sent, &events, &mut self.rng);
        if !is_calm {
            self.barred_ms
                .insert(sent.pixel.clone(), clock::since_start_ms());
        }
        self.tell(|| {
            let ids = events.iter().filter_map(|event| event["event_id"].as_str());
            let ids = ids.collect::<Vec<_>>().join(" ");
            format!("TikTok gets {:?} {ids}: {}", sent.class, told(&reply))
        });
        for event in self.tiktok.news(&sent.pixel, events) {
            if let Some(wrong) = self.is_late(&sent.pixel, &event) {
                self.fails(wrong);
            }
        }
        let is_dated = reply.code().is_some();
        let (mut ms, mut reply) = (self.rng.i64(5..2_000), reply);
        if self.is_lost() {
            self.tell(|| "TikTok's answer is lost".to_owned());
            self.is_in_trouble();
            reply = Reply::Unreachable(tiktok::Trouble::TimedOut);
            ms = 15_000;
        }
        if self.falls_asleep {
            self.fall_asleep(epoch);
        }
        let (lane, request) = (sent.lane, sent.request);
        self.after(
            ms,
            What::TikTokAnswers {
                epoch,
                lane,
                request,
                reply,
                is_dated,
            },
        );
    }

    /// Returns a failure if the event of a paid order took too long although nothing failed.
    pub(super) fn is_late(&self, pixel: &str, event: &Value) -> Option<String> {
        let order_id = event["properties"]["order_id"].as_str()?;
        let mut orders = self.orders.iter();
        // If the money of a sale went back, the order can be sold again later, so its time is not checked.
        let has_no_time = |order: &ShopOrder| order.is_withdrawn || self.is_taken_back(order);
        if orders.any(|order| order.id == order_id && has_no_time(order)) {
            return None;
        }
        let paid_ms = *self.paid.get(order_id)? - clock::true_ms() + clock::since_start_ms();
        let named = Named {
            pixel: pixel.to_owned(),
            name: duet_sandbox::canonical(event["event"].as_str()?).to_owned(),
            id: event["event_id"].as_str()?.to_owned(),
        };
        if !["Subscribe", "Purchase"].contains(&named.name.as_str()) {
            return None;
        }
        let promised_ms = self
            .promised
            .get(&named)
            .map_or(0, |promised| promised.last_ms);
        let since_ms = paid_ms.max(promised_ms);
        let took_ms = clock::since_start_ms() - since_ms;
        // Only trouble with this pixel counts, not trouble with another pixel.
        let barred_ms = self.barred_ms.get(pixel).copied().unwrap_or_default();
        let is_calm = self.calm_since_ms.max(barred_ms) + 5 * MINUTE_MS < since_ms;
        (is_calm && took_ms > FIRST_CLASS_MS)
            .then(|| format!("the sale of {order_id} must reach TikTok within {FIRST_CLASS_MS} ms if nothing fails, but took {took_ms} ms"))
    }

    pub(super) fn tiktok_answers(
        &mut self,
        epoch: u64,
        lane: usize,
        request: RequestId,
        reply: Reply,
        is_dated: bool,
    ) {
        let now = self.now();
        let mut asleep = self.asleep.iter();
        let sleeper = asleep.find(|(_, process)| process.number == epoch);
        if let Some(wakes_ms) = sleeper.map(|(wakes_ms, _)| *wakes_ms) {
            let answers = What::TikTokAnswers {
                epoch,
                lane,
                request,
                reply,
                is_dated,
            };
            return self.at(wakes_ms + 1, answers);
        }
        let mut processes = self.processes.iter_mut();
        let Some(process) = processes.find(|process| process.number == epoch) else {
            return;
        };
        if is_dated && reply.code().is_some() {
            process.dated(clock::true_ms());
            self.dated_ms = Some(clock::since_start_ms());
        }
        if let (Some(watched), Some(pixel)) = (&mut self.watched, process.pixel(lane)) {
            watched.answered(pixel, &reply);
        }
        process.replied(lane, request, reply, now, &mut self.rng);
        self.deliver();
    }

    pub(super) fn spell(&mut self) {
        if !self.is_healed {
            let line = self.tiktok.falls_ill(&mut self.rng);
            self.tell(|| line);
            self.is_in_trouble();
        }
    }
}
