//! The closed list of causes. Each has a code, its sentence and its next step, in English and Vietnamese.

use serde::{Deserialize, Serialize};

/// A text in both languages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// English.
    pub en: String,
    /// Vietnamese.
    pub vi: String,
}

macro_rules! causes {
    ($($cause:ident $code:literal { $says:literal $says_vi:literal } { $next:literal $next_vi:literal })*) => {
        /// Why something did or did not happen.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "each cause states itself")]
        pub enum Cause { $(#[serde(rename = $code)] $cause,)* }

        impl Cause {
            /// Every cause.
            pub const ALL: &[Self] = &[$(Self::$cause,)*];

            /// Returns the stable name, for programs.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$cause => $code,)* }
            }

            /// Returns what the cause means.
            pub fn says(self) -> Text {
                let (en, vi) = match self { $(Self::$cause => ($says, $says_vi),)* };
                Text { en: en.to_owned(), vi: vi.to_owned() }
            }

            /// Returns whether the cause explains why a stored event has not been sent yet.
            pub(crate) const fn is_pending(self) -> bool {
                matches!(
                    self,
                    Self::TokenRefused
                        | Self::Throttled
                        | Self::TikTokDown
                        | Self::PixelRemoved
                        | Self::Waiting
                )
            }

            /// Returns what to do.
            pub fn next(self) -> Text {
                let (en, vi) = match self { $(Self::$cause => ($next, $next_vi),)* };
                Text { en: en.to_owned(), vi: vi.to_owned() }
            }
        }
    };
}

causes! {
    Counted "counted"
        { "TikTok has accepted it." "TikTok đã nhận." }
        { "Nothing to do." "Không cần làm gì." }
    NeverArrived "never_arrived"
        { "Nothing with this id has reached the proxy, or it ended more than 7 days ago. The proxy cannot know which of these stopped it in the browser: an ad blocker, denied or pending consent, a Content-Security-Policy without connect-src for the proxy, a page that is offline or was closed (the event is then sent on the next visit), or another address of the proxy."
          "Chưa có gì với mã này tới proxy, hoặc nó đã kết thúc hơn 7 ngày trước. Proxy không thể biết điều gì đã chặn nó trong trình duyệt: trình chặn quảng cáo, chưa đồng ý hoặc từ chối cho phép, Content-Security-Policy thiếu connect-src cho proxy, trang ngoại tuyến hoặc đã đóng (sự kiện sẽ được gửi ở lần truy cập sau), hoặc sai địa chỉ proxy." }
        { "Open the page with debug: true. The console and the network tab show whether the request to the track path is missing, blocked, or answered with an error. pending() counts what waits in the outbox."
          "Mở trang với debug: true. Bảng điều khiển và thẻ mạng cho thấy yêu cầu tới track path bị thiếu, bị chặn hay trả về lỗi. pending() đếm số sự kiện đang chờ." }
    ProxyStopped "proxy_stopped"
        { "No proxy runs, so rejections, repeats and the state of delivery are not known." "Proxy không chạy, nên không biết các lần từ chối, trùng lặp và trạng thái gửi." }
        { "Start the proxy, send the event again, and ask again." "Khởi động proxy, gửi lại sự kiện rồi hỏi lại." }
    ConsentRefused "consent_refused"
        { "The event came without consent, so the proxy rejected it." "Sự kiện đến khi chưa có sự đồng ý nên proxy đã từ chối." }
        { "Nothing, if the person refused. Otherwise send events only after consent is granted." "Không làm gì nếu khách từ chối. Nếu không, chỉ gửi sự kiện sau khi đã được đồng ý." }
    WrongPixel "wrong_pixel"
        { "The event names a pixel that the proxy does not have." "Sự kiện nêu một pixel mà proxy không có." }
        { "Correct pixelId in the page, or add the pixel to DUET_PIXELS_FILE." "Sửa pixelId trong trang, hoặc thêm pixel vào DUET_PIXELS_FILE." }
    PixelOfAnotherOrigin "pixel_of_another_origin"
        { "The event names a pixel that does not list the page's origin." "Sự kiện nêu một pixel không liệt kê nguồn (origin) của trang." }
        { "Add the origin to this pixel in DUET_PIXELS_FILE." "Thêm origin vào pixel này trong DUET_PIXELS_FILE." }
    WrongClock "wrong_clock"
        { "event_time is more than 7 days ago or in the future." "event_time cũ hơn 7 ngày hoặc ở tương lai." }
        { "Correct the sender's clock, or send sent_at by the same clock. The proxy's own clock is shown by duet-proxy doctor." "Chỉnh đồng hồ của bên gửi, hoặc gửi sent_at theo cùng đồng hồ. Đồng hồ của proxy: duet-proxy doctor." }
    NoOrder "no_order"
        { "A page reported a sale without an order id. Sales of pages are held until their order is paid, so the proxy needs its id." "Trang báo bán hàng mà không có mã đơn hàng. Sự kiện bán hàng của trang được giữ tới khi đơn được thanh toán, nên proxy cần mã đơn." }
        { "Add order_id to the event, or send the sale with the server key." "Thêm order_id vào sự kiện, hoặc gửi bằng server key." }
    ReservedId "reserved_id"
        { "The event_id is reserved for another order's event." "event_id được dành cho sự kiện của đơn hàng khác." }
        { "Leave out event_id, or take it from eventIdFor with the same event and order." "Bỏ event_id, hoặc lấy từ eventIdFor với đúng sự kiện và đơn hàng." }
    StaffSession "staff_session"
        { "A member of staff was signed in as the customer." "Nhân viên đang đăng nhập thay khách hàng." }
        { "Nothing. Such visits are not reported." "Không làm gì. Các lượt này không được báo cáo." }
    BrokenRule "broken_rule"
        { "The event broke a rule, so the proxy rejected it." "Sự kiện vi phạm quy tắc nên proxy đã từ chối." }
        { "The steps name the field and the rule; docs/rules.md explains it." "Các bước nêu trường và quy tắc; xem docs/rules.md." }
    Duplicate "duplicate"
        { "The same event_id was accepted before, so the repeat was not sent. The steps show who sent the first and when." "event_id này đã được nhận trước đó nên lần lặp không được gửi. Các bước cho thấy ai gửi lần đầu và lúc nào." }
        { "Nothing, if it is the same event. Two different events need different ids." "Không làm gì nếu là cùng sự kiện. Hai sự kiện khác nhau cần mã khác nhau." }
    PixelBlocked "pixel_blocked"
        { "The page could not load TikTok's Pixel: an ad blocker, a Content-Security-Policy, or the network. The proxy's copy is not affected." "Trang không tải được Pixel của TikTok: trình chặn quảng cáo, Content-Security-Policy hoặc mạng. Bản của proxy không bị ảnh hưởng." }
        { "Nothing for an ad blocker. If it happens to all visitors, allow analytics.tiktok.com in the policy (docs/csp.md)." "Không làm gì nếu do trình chặn. Nếu mọi khách đều bị, cho phép analytics.tiktok.com trong chính sách (docs/csp.md)." }
    PixelAbsent "pixel_absent"
        { "The page has no Pixel, so only the proxy reported the event." "Trang không có Pixel nên chỉ proxy báo sự kiện." }
        { "Let the SDK load the Pixel (pixel: 'load'), or add the base code." "Cho SDK tải Pixel (pixel: 'load'), hoặc thêm mã gốc." }
    TestTraffic "test_traffic"
        { "The event went out with a test event code. TikTok shows it under Test Events and does not count it." "Sự kiện được gửi với mã thử nghiệm. TikTok chỉ hiện ở Test Events và không tính." }
        { "Remove TIKTOK_TEST_EVENT_CODE or the pixel's test_event_code, and restart." "Bỏ TIKTOK_TEST_EVENT_CODE hoặc test_event_code của pixel rồi khởi động lại." }
    NoMatchKeys "no_match_keys"
        { "TikTok accepted the event, but cannot connect it with a person: it had no match key." "TikTok nhận sự kiện nhưng không thể gắn với người nào: không có khóa đối sánh." }
        { "Call identify, keep ttclid in the landing address, and set DUET_TRUSTED_PROXIES." "Gọi identify, giữ ttclid trong địa chỉ trang đích, và đặt DUET_TRUSTED_PROXIES." }
    SentLate "sent_late"
        { "The proxy got the event long after it happened: the page was offline, closed or hidden." "Proxy nhận sự kiện lâu sau khi xảy ra: trang ngoại tuyến, bị đóng hoặc ẩn." }
        { "Nothing. After 5 minutes, TikTok may count this copy and the Pixel's as two events." "Không làm gì. Sau 5 phút TikTok có thể tính riêng bản của Pixel và bản này." }
    MergeMissed "merge_missed"
        { "The event reached TikTok more than 5 minutes after it happened. TikTok may not merge it with the Pixel's copy." "Sự kiện tới TikTok hơn 5 phút sau khi xảy ra. TikTok có thể không gộp với bản của Pixel." }
        { "Look at duet_delivery_seconds, and at what delayed the delivery." "Xem duet_delivery_seconds và nguyên nhân làm chậm." }
    Warned "warned"
        { "TikTok accepted the event with a remark (code 20001)." "TikTok nhận sự kiện kèm lưu ý (mã 20001)." }
        { "Read TikTok's message in the log of the proxy, and correct the field." "Đọc thông báo của TikTok trong nhật ký proxy và sửa trường đó." }
    Refused "refused"
        { "TikTok refused the event for good. It is a dead letter." "TikTok từ chối hẳn sự kiện. Nó nằm trong các sự kiện không giao được." }
        { "Read TikTok's message, in the console under Trouble or with duet-proxy dead-letters show, and correct the cause. Then send the event again, with Send again in the console or with duet-proxy dead-letters replay." "Đọc thông báo của TikTok, ở mục Sự cố của bảng điều khiển hoặc bằng duet-proxy dead-letters show, và sửa nguyên nhân. Sau đó gửi lại sự kiện, bằng nút Gửi lại ở bảng điều khiển hoặc bằng duet-proxy dead-letters replay." }
    Expired "expired"
        { "The proxy could not deliver the event within 7 days. It is a dead letter." "Proxy không gửi được sự kiện trong 7 ngày. Nó nằm trong các sự kiện không giao được." }
        { "Look for what stopped the delivery (token, pixel, network). TikTok no longer attributes the event." "Tìm điều đã chặn việc gửi (token, pixel, mạng). TikTok không còn tính sự kiện này." }
    HeldTooLong "held_too_long"
        { "The event reported a sale, but no payment came within 72 hours. It is a dead letter." "Sự kiện báo bán hàng nhưng không có thanh toán trong 72 giờ. Nó nằm trong các sự kiện không giao được." }
        { "If the order was paid in a way that no webhook reports, send the sale with the server key." "Nếu đơn được trả theo cách không webhook nào báo, gửi sự kiện bằng server key." }
    WebhookLate "webhook_late"
        { "The payment's notification came after the held event had ended." "Thông báo thanh toán đến sau khi sự kiện được giữ đã hết hạn." }
        { "Nothing: the payment reported the sale itself. Ask the provider about late notifications." "Không cần làm gì: khoản thanh toán tự báo sự kiện. Hỏi nhà cung cấp về thông báo trễ." }
    Withdrawn "withdrawn"
        { "An operator withdrew the order, so events that waited for its payment were not sent." "Người vận hành đã rút đơn hàng nên sự kiện đang chờ thanh toán không được gửi." }
        { "Nothing." "Không làm gì." }
    Refunded "refunded"
        { "The money went back before the event was sent, so the sale was not reported." "Tiền đã hoàn trước khi gửi nên không báo bán hàng." }
        { "Nothing." "Không làm gì." }
    RefundedLater "refunded_later"
        { "The sale was reported, and money went back later. TikTok has no way to take a sale back." "Đã báo bán hàng, sau đó hoàn tiền. TikTok không có cách rút lại." }
        { "Subtract refunds in your own reports." "Trừ tiền hoàn trong báo cáo của bạn." }
    Held "held"
        { "A page reported the sale. The event is stored until a payment confirms it, for 72 hours." "Trang đã báo bán hàng. Sự kiện được lưu tới khi có thanh toán xác nhận, trong 72 giờ." }
        { "Wait for the payment. The next causes say whether one can come." "Chờ thanh toán. Các nguyên nhân sau cho biết có thể đến hay không." }
    Unpaid "unpaid"
        { "No payment has come for the order." "Chưa có thanh toán cho đơn hàng." }
        { "If the customer has paid, look for the transfer with duet-proxy payments list." "Nếu khách đã trả, tìm giao dịch bằng duet-proxy payments list." }
    NoWebhook "no_webhook"
        { "No payment webhook is configured, so no payment can confirm the order." "Chưa cấu hình webhook thanh toán nên không thể xác nhận đơn hàng." }
        { "Set a provider's secret, or send the sale with the server key." "Đặt khóa của nhà cung cấp, hoặc gửi bằng server key." }
    WebhookSilent "webhook_silent"
        { "A payment webhook is configured, but no notification with a valid proof has come since the proxy started. Payments that no webhook reports, such as cash on delivery, never confirm an order." "Đã cấu hình webhook nhưng chưa có thông báo hợp lệ nào từ khi proxy khởi động. Thanh toán mà không webhook nào báo, như COD, không bao giờ xác nhận đơn." }
        { "Check the webhook's address at the provider. Send such sales with the server key." "Kiểm tra địa chỉ webhook ở nhà cung cấp. Gửi các đơn COD bằng server key." }
    BadSignature "bad_signature"
        { "A payment notification came that did not prove its sender, so it was rejected." "Có thông báo thanh toán không chứng minh được người gửi nên bị từ chối." }
        { "Compare the webhook's secret at the provider with the setting." "So sánh khóa webhook ở nhà cung cấp với cài đặt." }
    UnreadableNotification "unreadable_notification"
        { "A signed payment notification could not be read; its money is not recorded." "Không đọc được một thông báo đã ký; tiền chưa được ghi." }
        { "The proxy's log names the field. Enter the payment by hand, and report the format." "Nhật ký proxy nêu trường. Ghi thanh toán bằng tay và báo định dạng." }
    ShortPayment "short_payment"
        { "Less money came than the order costs." "Số tiền nhận ít hơn giá đơn hàng." }
        { "Ask the customer for the rest, or register the order with the amount that was agreed." "Yêu cầu khách trả phần còn lại, hoặc đăng ký lại đơn với số tiền đã thỏa thuận." }
    OtherCurrency "other_currency"
        { "The payment is in another currency than the order." "Thanh toán bằng loại tiền khác với đơn hàng." }
        { "Register the order in the currency in which it is paid." "Đăng ký đơn bằng loại tiền được thanh toán." }
    Unmatched "unmatched"
        { "The transfer names no known order." "Giao dịch không nêu đơn hàng nào được biết." }
        { "Register the order, or check SEPAY_ORDER_PATTERN and what customers write in the memo." "Đăng ký đơn hàng, hoặc kiểm tra SEPAY_ORDER_PATTERN và nội dung chuyển khoản." }
    Ambiguous "ambiguous"
        { "The transfer's memo fits several unpaid orders." "Nội dung chuyển khoản khớp nhiều đơn chưa trả." }
        { "Decide by hand which order is paid. Use order ids that do not contain each other." "Tự quyết định đơn nào được trả. Dùng mã đơn không chứa nhau." }
    OtherAccount "other_account"
        { "The money came to an account that SEPAY_ACCOUNTS does not list." "Tiền vào tài khoản không có trong SEPAY_ACCOUNTS." }
        { "Add the account to SEPAY_ACCOUNTS if it is the shop's." "Thêm tài khoản vào SEPAY_ACCOUNTS nếu là của cửa hàng." }
    PaidBefore "paid_before"
        { "The order was paid before, so this money must go back." "Đơn đã được trả trước đó nên khoản này phải hoàn lại." }
        { "Pay the money back to the customer." "Hoàn tiền cho khách." }
    TestPayment "test_payment"
        { "The provider is in test mode, but this proxy is not." "Nhà cung cấp ở chế độ thử nhưng proxy thì không." }
        { "Switch the provider to live mode, or set a test event code." "Chuyển nhà cung cấp sang chế độ thật, hoặc đặt mã thử nghiệm." }
    NotCounted "payment_not_counted"
        { "The provider's notification says that this money pays nothing; the steps show the reason." "Thông báo cho biết khoản này không trả cho gì; xem lý do trong các bước." }
        { "Look at the transfer at the provider." "Xem giao dịch ở nhà cung cấp." }
    TokenRefused "token_refused"
        { "TikTok refuses the access token, or the token has no right to the pixel. Events stay stored." "TikTok từ chối access token, hoặc token không có quyền với pixel. Sự kiện vẫn được lưu." }
        { "Make a new token in Events Manager, set it, and restart. duet-proxy doctor proves it." "Tạo token mới trong Events Manager, đặt lại và khởi động. duet-proxy doctor kiểm tra." }
    Throttled "throttled"
        { "TikTok limits the requests. The event is sent when TikTok allows it." "TikTok đang giới hạn yêu cầu. Sự kiện sẽ được gửi khi được phép." }
        { "Wait. If it lasts, lower DUET_SEND_LIMIT." "Chờ. Nếu kéo dài, giảm DUET_SEND_LIMIT." }
    TikTokDown "tiktok_down"
        { "TikTok does not answer, or answers with an error. The proxy tries again for 7 days." "TikTok không trả lời hoặc báo lỗi. Proxy thử lại trong 7 ngày." }
        { "Wait: the proxy tries again by itself. If it lasts, check that the proxy can reach TIKTOK_API_BASE." "Hãy chờ: proxy tự thử lại. Nếu kéo dài, kiểm tra xem proxy có tới được TIKTOK_API_BASE không." }
    PixelRemoved "pixel_removed"
        { "The event waits for a pixel that is not configured any more." "Sự kiện chờ một pixel không còn được cấu hình." }
        { "Add the pixel again, and send SIGHUP. The event expires after 7 days." "Thêm lại pixel và gửi SIGHUP. Sự kiện hết hạn sau 7 ngày." }
    Waiting "waiting"
        { "The event waits for its delivery." "Sự kiện đang chờ gửi." }
        { "Ask again in a moment. If no proxy runs, start it." "Hỏi lại sau giây lát. Nếu proxy không chạy, hãy khởi động." }
    ClockSuspect "clock_suspect"
        { "The proxy's clock is wrong or not confirmed. Nothing expires until it is." "Đồng hồ của proxy sai hoặc chưa xác nhận. Chưa có gì hết hạn." }
        { "Correct the machine's clock (NTP)." "Chỉnh đồng hồ máy (NTP)." }
    DiskRefuses "disk_refuses"
        { "The disk is nearly full or refuses writes, so the proxy accepts no events." "Đĩa gần đầy hoặc từ chối ghi nên proxy không nhận sự kiện." }
        { "Free space. Pages keep their events and send them later." "Giải phóng đĩa. Trang giữ sự kiện và gửi sau." }
}
