pub(crate) async fn start_trial(
    http: &reqwest::Client,
    proxy: &str,
    server_key: &str,
) -> reqwest::Result<serde_json::Value> {
    let event = serde_json::json!({
        "event": "StartTrial",
        "event_id": "trial-4711",
        "user": { "external_id": "user-17", "ip": "203.0.113.7", "user_agent": "Mozilla/5.0" }
    });
    let url = format!("{proxy}/api/analytics/tiktok/track?wait=10000");
    let request = http.post(url).bearer_auth(server_key).json(&event);
    request.send().await?.error_for_status()?.json().await
}
