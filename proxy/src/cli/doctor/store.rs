//! Checks the data directory: whether this version can read it, whether it is writable, and which pixels' events wait in it.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use duet_proxy::{config::Config, control, queue};

use super::{super::access::Access, Finding};

pub(super) async fn check(config: &Config) -> Finding {
    if let Some(database) = &config.database {
        let format = queue::format_of_shared(database).map_err(|error| error.to_string())?;
        let mut found = match format {
            Some(format) => format!("the settings of the database protect committed events; the tables have format {format}"),
            None => {
                "the settings of the database protect committed events; the first start of a proxy creates the tables".to_owned()
            }
        };
        let advice = queue::advice_on(database).map_err(|error| error.to_string())?;
        if advice.is_empty() {
            return Ok(found);
        }
        found.push_str("; but ");
        return Err(found + &advice.join("; "));
    }
    let folder = config.data_dir.as_path();
    let running = Access::running(folder).await;
    match running.map_err(|error| error.to_string())? {
        Some(proxy) => in_use(config, &proxy).await,
        None => stopped(config).await,
    }
}

async fn in_use(config: &Config, proxy: &Access) -> Finding {
    let name = config.data_dir.display();
    let waiting: Vec<String> = proxy
        .ask("GET", control::WAITING, &())
        .await
        .map_err(|error| {
            format!("the running proxy must answer requests of the doctor, got an error: {error}")
        })?;
    none_stray(config, waiting.into_iter().collect())?;
    // A running proxy of an older version does not have this route.
    let format = match proxy.ask("GET", control::FORMAT, &()).await {
        Ok(found) => fit(found)?,
        Err(_) => "the running proxy has an older version, which does not state the folder's format: to check the format, stop the proxy and run doctor again".to_owned(),
    };
    Ok(format!("{name} is in use by a running proxy; {format}"))
}

async fn stopped(config: &Config) -> Finding {
    let folder = config.data_dir.as_path();
    let name = folder.display();
    let found = queue::format_of(folder).map_err(|error| what_to_do(folder, &error))?;
    let format = fit(found.unwrap_or(queue::FORMAT))?;
    if found.is_some_and(|found| found != queue::FORMAT) {
        // The queue is not opened, because this would change the format, and `doctor` must change nothing.
        return Ok(format!("{name}: {format}"));
    }
    let opened = queue::open(folder, 0, Arc::default());
    let (intake, mut outlet, letters) = opened.map_err(|error| what_to_do(folder, &error))?;
    let dead = letters.newest(1000).map_err(|error| error.to_string())?;
    let mut pixels = BTreeSet::new();
    while let Some(lane) = outlet.lane_now() {
        pixels.insert(lane.destination().pixel_id.clone());
    }
    intake.close().await;
    none_stray(config, pixels)?;
    Ok(format!(
        "{name} is writable; pending events: {}; dead letters: {}; {format}",
        intake.depth(),
        dead.len()
    ))
}

/// Returns whether this version can use a folder of the format `found`, in words.
fn fit(found: u32) -> Finding {
    let ours = queue::FORMAT;
    if found == ours {
        return Ok(format!("format {found}, which this version writes"));
    }
    if queue::reads(found) {
        return Ok(format!(
            "format {found}, which this version can read. The first start of this version changes the format to {ours}, which the older version cannot read: copy the folder before the start"
        ));
    }
    Err(queue::Error::Format { found, known: ours }.to_string())
}

fn what_to_do(folder: &Path, error: &queue::Error) -> String {
    let name = folder.display();
    match error {
        queue::Error::Folder(_) => format!(
            "{name}: {error}; set DUET_DATA_DIR to a folder that the proxy's user can write to"
        ),
        _ => format!("{name}: {error}"),
    }
}

/// Checks that every pixel with pending events is configured.
fn none_stray(config: &Config, mut pixels: BTreeSet<String>) -> Result<(), String> {
    let configured = config.tiktok.pixels.iter();
    for pixel in configured {
        pixels.remove(pixel.id.as_str());
    }
    if pixels.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = pixels.into_iter().collect();
    Err(format!(
        "events are pending for pixels that are not configured: {}; add these pixels to DUET_PIXELS_FILE again, or their events expire after 7 days",
        ids.join(" ")
    ))
}
