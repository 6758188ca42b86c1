//! The Vietnamese words for the states in a step.

/// Returns the words for what happened to the Pixel's copy.
pub(super) fn pixel(pixel: &str) -> &'static str {
    match pixel {
        "fired" => "đã gửi",
        "blocked" => "bị chặn",
        "absent" => "trang không có Pixel",
        "off" => "không dùng",
        _ => "không rõ",
    }
}

/// Returns the words for the outcome of an event.
pub(super) fn outcome(outcome: &str) -> &str {
    match outcome {
        "delivered" => "đã giao",
        "delivered_with_warning" => "đã giao, kèm lưu ý",
        "refused" => "bị từ chối",
        "expired" => "hết hạn",
        "unverified" => "không có thanh toán",
        "withdrawn" => "đã rút lại",
        other => other,
    }
}

/// Returns the words for the result of a transfer. A reason that a provider states is not translated.
pub(super) fn became(became: &str) -> &str {
    match became {
        "paid" => "đã trả đủ",
        "overpaid" => "trả thừa",
        "amount_differs" => "đã trả, số tiền khác",
        "partial" => "trả một phần",
        "renewed" => "gia hạn",
        "returned" => "hoàn tiền",
        "free" => "số tiền bằng không",
        "unmatched" => "không khớp đơn nào",
        "ambiguous" => "khớp nhiều đơn",
        "paid_before" => "đơn đã được trả trước đó",
        "other_currency" => "khác loại tiền",
        "test" => "thanh toán thử",
        "not_counted" => "không tính",
        other => other,
    }
}

/// Writes an amount such as `99000 VND` in the Vietnamese way: `99.000 ₫`.
pub(super) fn amount(amount: &str) -> String {
    let (number, currency) = amount.split_once(' ').unwrap_or((amount, ""));
    let currency = if currency == "VND" { "₫" } else { currency };
    let mut number = number.replace('.', ",");
    let mut place = number.find(',').unwrap_or(number.len());
    while place > 3 {
        place -= 3;
        number.insert(place, '.');
    }
    format!("{number} {currency}")
}
