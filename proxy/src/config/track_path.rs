//! Checks `DUET_TRACK_PATH`. It must not be the path of another route.

/// Paths that the proxy itself answers, some of them only with certain settings.
const ROUTES: [&str; 4] = ["/healthz", "/readyz", "/metrics", "/duet-dev.json"];
/// Paths that the proxy itself answers, together with every path below them.
const BRANCHES: [&str; 3] = ["/api/orders", "/api/payment", "/duet-dev"];

/// Parses the setting.
///
/// # Errors
/// A message for the operator.
pub(super) fn read(text: &str) -> Result<String, &'static str> {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.');
    // Pages can always add a slash to the path, so the setting itself must not end with one.
    let path = text.strip_suffix('/').unwrap_or(text);
    if is_taken(path) {
        return Err(
            "must not be a path that the proxy itself answers: /healthz, /readyz, /metrics, /api/orders, /api/payment, or a path below one of these",
        );
    }
    let Some(segments) = path.strip_prefix('/') else {
        return Err("must be a path such as /collect, with a slash in front");
    };
    if text != path || !path.bytes().all(plain) {
        return Err(
            "must be a path such as /collect: letters, digits, / - _ . and no slash at its end",
        );
    }
    if segments
        .split('/')
        .any(|segment| matches!(segment, "" | "." | ".."))
    {
        return Err(
            "must be a path such as /collect, without empty parts and without the parts . and ..",
        );
    }
    Ok(path.to_owned())
}

/// Returns whether a path belongs to another route, also if it is spelt in another way, because web servers decode and
/// normalise a path.
fn is_taken(path: &str) -> bool {
    let decoded = duet_events::personal::percent_decoded(path);
    let mut parts: Vec<&str> = Vec::new();
    for part in decoded.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let path = format!("/{}", parts.join("/"));
    let under = |branch: &str| {
        let rest = path.strip_prefix(branch);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    ROUTES.into_iter().chain(BRANCHES).any(under)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_plain_and_nobody_elses() {
        for good in [
            "/collect",
            "/a/b-c_d.e",
            "/api/analytics/tiktok/track",
            "/api/ordersx",
            "/healthy",
            "/...",
            "/console",
        ] {
            assert_eq!(read(good), Ok(good.to_owned()));
        }
        for wrong in [
            "",
            "/",
            "//",
            "collect",
            "/collect/",
            "//collect",
            "/a//b",
            "/a/./b",
            "/a/../b",
            "/a b",
            "/{*rest}",
            "/{a}",
            "/:a",
            "/tr%61ck",
            "/đơn",
            "/a?b",
            "/a#b",
        ] {
            assert!(read(wrong).is_err_and(|rule| !is_clash(rule)), "{wrong}");
        }
    }

    #[test]
    fn a_path_of_another_route_is_a_clash() {
        for route in [
            "/healthz",
            "/readyz",
            "/metrics",
            "/api/orders",
            "/api/orders/PHO7K3M9Q2X",
            "/api/orders/{order_id}",
            "/api/payment/sepay/webhook",
            "/api/payment/stripe/webhook",
            "/api/payment/vnpay/webhook",
            "/api/payment",
            "/duet-dev.json",
            "/duet-dev/orders",
        ] {
            let encoded = route
                .replace('z', "%7A")
                .replace('o', "%6f")
                .replace('s', "%73");
            let doubled = route.replace('/', "//");
            for written in [
                route.to_owned(),
                format!("{route}/"),
                format!("/.{route}"),
                format!("/x/..{route}"),
                encoded,
                doubled,
            ] {
                assert!(read(&written).is_err_and(is_clash), "{written}");
            }
        }
    }

    fn is_clash(rule: &str) -> bool {
        rule.contains("itself answers")
    }
}
