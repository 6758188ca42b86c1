//! Lists all causes. Each cause has a code, its meaning and the next step, in English and Vietnamese.

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

            /// Returns the cause's stable name, for programs.
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
        { "TikTok has accepted the event." "TikTok đã nhận sự kiện." }
        { "Do nothing." "Không làm gì." }
    NeverArrived "never_arrived"
        { "No event, order or transfer with this id has reached the proxy, or the event ended more than 7 days ago. The proxy cannot know what stopped an event in the browser. It can be an ad blocker, denied or pending consent, a Content-Security-Policy without connect-src for the proxy, a page that is offline or was closed (the event is then sent on the next visit), or a wrong address of the proxy in the page."
          "Chưa có sự kiện, đơn hàng hay giao dịch nào với mã này tới proxy, hoặc sự kiện đã kết thúc hơn 7 ngày trước. Proxy không thể biết điều gì đã chặn sự kiện trong trình duyệt. Có thể là: trình chặn quảng cáo, chưa đồng ý hoặc từ chối cho phép, Content-Security-Policy thiếu connect-src cho proxy, trang ngoại tuyến hoặc đã đóng (sự kiện sẽ được gửi ở lần truy cập sau), hoặc địa chỉ proxy trong trang bị sai." }
        { "Open the page with debug: true in init. The browser's console and network tab show whether the request to the track path is missing, blocked, or answered with an error. pending() returns how many events the page still keeps to send."
          "Mở trang với debug: true trong init. Bảng điều khiển và thẻ mạng của trình duyệt cho thấy yêu cầu tới track path bị thiếu, bị chặn hay trả về lỗi. pending() cho biết trang còn giữ bao nhiêu sự kiện chưa gửi." }
    ProxyStopped "proxy_stopped"
        { "No proxy is running. Only a running proxy knows which events it has rejected, which events came again, and the state of the delivery." "Proxy không chạy. Chỉ proxy đang chạy mới biết sự kiện nào bị từ chối, sự kiện nào đến lặp lại, và trạng thái gửi." }
        { "Start the proxy, send the event again, and ask again." "Khởi động proxy, gửi lại sự kiện rồi hỏi lại." }
    ConsentRefused "consent_refused"
        { "The event came without the person's consent, so the proxy rejected the event." "Sự kiện đến khi chưa có sự đồng ý của khách nên proxy đã từ chối sự kiện." }
        { "If the person refused, do nothing. Otherwise send events only after the person has given consent." "Nếu khách từ chối thì không làm gì. Nếu không, chỉ gửi sự kiện sau khi khách đã đồng ý." }
    WrongPixel "wrong_pixel"
        { "The event names a pixel that is not configured in the proxy." "Sự kiện nêu một pixel chưa được cấu hình trong proxy." }
        { "Correct pixelId in the page, or add the pixel to DUET_PIXELS_FILE." "Sửa pixelId trong trang, hoặc thêm pixel vào DUET_PIXELS_FILE." }
    PixelOfAnotherOrigin "pixel_of_another_origin"
        { "The event names a pixel, but the page's origin is not in this pixel's list of origins." "Sự kiện nêu một pixel, nhưng nguồn (origin) của trang không có trong danh sách origin của pixel này." }
        { "Add the origin to this pixel in DUET_PIXELS_FILE." "Thêm origin vào pixel này trong DUET_PIXELS_FILE." }
    WrongClock "wrong_clock"
        { "The event's event_time is more than 7 days ago, or in the future." "event_time của sự kiện cũ hơn 7 ngày, hoặc ở tương lai." }
        { "Correct the clock of the machine that sent the event. Or add sent_at to the request, from the same clock as event_time. duet-proxy doctor shows whether the proxy's own clock is right." "Chỉnh đồng hồ của máy đã gửi sự kiện. Hoặc thêm sent_at vào yêu cầu, theo cùng đồng hồ với event_time. duet-proxy doctor cho biết đồng hồ của chính proxy có đúng không." }
    NoOrder "no_order"
        { "A page reported a sale without an order id. The proxy sends a page's sale only after the order is paid, so the proxy needs the id of the order." "Trang báo bán hàng mà không có mã đơn hàng. Sự kiện bán hàng của trang được giữ tới khi đơn được thanh toán, nên proxy cần mã đơn." }
        { "Add order_id to the event, or send the sale from your server with the server key." "Thêm order_id vào sự kiện, hoặc gửi bằng server key." }
    ReservedId "reserved_id"
        { "The event_id belongs to an event of another order." "event_id thuộc về sự kiện của một đơn hàng khác." }
        { "Leave out event_id, or create it with eventIdFor from the name of this event and the id of this order." "Bỏ event_id, hoặc tạo bằng eventIdFor từ tên của sự kiện này và mã của đơn hàng này." }
    StaffSession "staff_session"
        { "A member of staff was signed in as the customer." "Nhân viên đang đăng nhập thay khách hàng." }
        { "Do nothing. Duet never reports such visits." "Không làm gì. Duet không bao giờ báo cáo các lượt này." }
    BrokenRule "broken_rule"
        { "The event broke a rule, so the proxy rejected the event." "Sự kiện vi phạm quy tắc nên proxy đã từ chối." }
        { "Correct the field that the steps name. docs/rules.md explains the rule." "Sửa trường mà các bước nêu. docs/rules.md giải thích quy tắc." }
    Duplicate "duplicate"
        { "The proxy had already accepted an event with the same event_id, so it did not send this event. The steps show who sent the first event, and when." "Proxy đã nhận một sự kiện có cùng event_id trước đó nên không gửi sự kiện này. Các bước cho thấy ai đã gửi sự kiện đầu tiên và lúc nào." }
        { "If the two are the same event, do nothing. If they are different events, give each its own event_id." "Nếu hai sự kiện là một thì không làm gì. Nếu là hai sự kiện khác nhau, hãy cho mỗi sự kiện một event_id riêng." }
    PixelBlocked "pixel_blocked"
        { "The page could not load TikTok's Pixel, because of an ad blocker, a Content-Security-Policy, or the network. The proxy sends its copy of the event all the same." "Trang không tải được Pixel của TikTok, do trình chặn quảng cáo, Content-Security-Policy hoặc mạng. Proxy vẫn gửi bản sự kiện của mình." }
        { "If the visitor has an ad blocker, do nothing. If the Pixel is blocked for all visitors, allow analytics.tiktok.com in the page's Content-Security-Policy (docs/csp.md)." "Nếu khách dùng trình chặn quảng cáo thì không làm gì. Nếu Pixel bị chặn với mọi khách, cho phép analytics.tiktok.com trong Content-Security-Policy của trang (docs/csp.md)." }
    PixelAbsent "pixel_absent"
        { "TikTok's Pixel is not on the page, so only the proxy reported the event." "Trang không có Pixel của TikTok nên chỉ proxy báo sự kiện." }
        { "Let the SDK load the Pixel (pixel: 'load' in init), or add TikTok's base code to the page." "Cho SDK tải Pixel (pixel: 'load' trong init), hoặc thêm mã gốc của TikTok vào trang." }
    TestTraffic "test_traffic"
        { "The proxy sent the event with a test event code. TikTok shows the event under Test Events and does not count it." "Proxy đã gửi sự kiện với mã thử nghiệm. TikTok hiện sự kiện ở Test Events và không tính." }
        { "Remove TIKTOK_TEST_EVENT_CODE or the pixel's test_event_code, and restart the proxy." "Bỏ TIKTOK_TEST_EVENT_CODE hoặc test_event_code của pixel rồi khởi động lại proxy." }
    NoMatchKeys "no_match_keys"
        { "TikTok accepted the event, but cannot connect it with a person, because the event had no match key (such as an e-mail address, a phone number or a click id)." "TikTok nhận sự kiện nhưng không thể gắn với người nào, vì sự kiện không có khóa đối sánh (như email, số điện thoại hoặc mã lượt nhấp)." }
        { "Call identify in the page. Make sure that no redirect removes ttclid from the landing page's address. Set DUET_TRUSTED_PROXIES, so that the proxy sees the visitor's address." "Gọi identify trong trang. Đừng để chuyển hướng nào bỏ ttclid khỏi địa chỉ trang đích. Đặt DUET_TRUSTED_PROXIES để proxy thấy địa chỉ của khách." }
    SentLate "sent_late"
        { "The proxy received the event more than 5 minutes after it happened. For example, the page was offline, closed or hidden." "Proxy nhận sự kiện hơn 5 phút sau khi xảy ra. Ví dụ, trang ngoại tuyến, bị đóng hoặc ẩn." }
        { "Do nothing. TikTok may count this copy and the Pixel's copy as two events, because it merges them only within 5 minutes." "Không làm gì. TikTok có thể tính bản này và bản của Pixel là hai sự kiện, vì TikTok chỉ gộp chúng trong vòng 5 phút." }
    MergeMissed "merge_missed"
        { "The proxy's copy of the event reached TikTok more than 5 minutes after the event happened. TikTok may count this copy and the Pixel's copy as two events." "Bản sự kiện của proxy tới TikTok hơn 5 phút sau khi sự kiện xảy ra. TikTok có thể tính bản này và bản của Pixel là hai sự kiện." }
        { "The metric duet_delivery_seconds shows whether other events were delivered late, too. If so, look for the reason in the proxy's log." "Số đo duet_delivery_seconds cho biết các sự kiện khác có được gửi chậm không. Nếu có, hãy tìm lý do trong nhật ký của proxy." }
    Warned "warned"
        { "TikTok accepted the event, with a warning (code 20001)." "TikTok đã nhận sự kiện, kèm cảnh báo (mã 20001)." }
        { "Read TikTok's message in the proxy's log, and correct the field that the message names." "Đọc thông báo của TikTok trong nhật ký của proxy và sửa trường mà thông báo nêu." }
    Refused "refused"
        { "TikTok refused the event, and the proxy will not try again. The event is kept as a dead letter for 30 days." "TikTok từ chối sự kiện, và proxy sẽ không thử lại. Sự kiện được giữ 30 ngày trong các sự kiện không giao được." }
        { "Read TikTok's message, in Duet's console under Trouble or with duet-proxy dead-letters show. Correct the cause. Then send the event again, with Send again in the console or with duet-proxy dead-letters replay." "Đọc thông báo của TikTok, ở mục Sự cố của bảng điều khiển Duet hoặc bằng duet-proxy dead-letters show. Sửa nguyên nhân. Sau đó gửi lại sự kiện, bằng nút Gửi lại ở bảng điều khiển hoặc bằng duet-proxy dead-letters replay." }
    Expired "expired"
        { "The proxy could not deliver the event within 7 days. The event is kept as a dead letter for 30 days." "Proxy không gửi được sự kiện trong 7 ngày. Sự kiện được giữ 30 ngày trong các sự kiện không giao được." }
        { "Find out what stopped the delivery (the token, the pixel or the network), so that other events do not expire, too. TikTok no longer attributes this event to an ad." "Tìm điều đã chặn việc gửi (token, pixel hoặc mạng), để các sự kiện khác không hết hạn theo. TikTok không còn gắn sự kiện này với quảng cáo." }
    HeldTooLong "held_too_long"
        { "A page reported a sale, but no payment for the order came within 72 hours. The event was not sent. It is kept as a dead letter for 30 days." "Trang báo bán hàng nhưng không có thanh toán cho đơn hàng trong 72 giờ. Sự kiện không được gửi. Nó được giữ 30 ngày trong các sự kiện không giao được." }
        { "If the customer paid in a way that no webhook reports, such as cash on delivery, send the sale from your server with the server key." "Nếu khách trả theo cách không webhook nào báo, như COD, gửi sự kiện từ máy chủ của bạn bằng server key." }
    WebhookLate "webhook_late"
        { "The notification of the payment came more than 72 hours after the page had reported the sale. The page's event had already expired." "Thông báo thanh toán đến hơn 72 giờ sau khi trang báo bán hàng. Sự kiện của trang đã hết hạn trước đó." }
        { "The sale is not lost: when the notification came, the proxy reported the sale from it. Ask the payment provider why the notification was late." "Đơn bán không mất: khi thông báo đến, proxy đã báo bán hàng từ thông báo đó. Hỏi nhà cung cấp thanh toán vì sao thông báo đến trễ." }
    Withdrawn "withdrawn"
        { "An operator withdrew the order, so the proxy did not send the events that waited for the order's payment." "Người vận hành đã rút đơn hàng nên proxy không gửi các sự kiện đang chờ thanh toán của đơn." }
        { "Do nothing." "Không làm gì." }
    Refunded "refunded"
        { "The customer got the money back before the event was sent, so the proxy did not report the sale." "Khách đã được hoàn tiền trước khi sự kiện được gửi nên proxy không báo bán hàng." }
        { "Do nothing." "Không làm gì." }
    RefundedLater "refunded_later"
        { "The proxy reported the sale, and the customer got money back later. TikTok offers no way to cancel a reported sale." "Proxy đã báo bán hàng, sau đó khách được hoàn tiền. TikTok không có cách nào để hủy một đơn bán đã báo." }
        { "TikTok's reports still contain this sale. Subtract refunds in your own reports." "Báo cáo của TikTok vẫn có đơn bán này. Hãy trừ tiền hoàn trong báo cáo của bạn." }
    Held "held"
        { "A page reported the sale. The proxy stores the event for at most 72 hours, and sends it as soon as a payment confirms the sale." "Trang đã báo bán hàng. Proxy lưu sự kiện nhiều nhất 72 giờ, và gửi ngay khi có thanh toán xác nhận đơn bán." }
        { "Wait for the payment. The causes below explain why the proxy may not know of a payment yet." "Chờ thanh toán. Các nguyên nhân bên dưới giải thích vì sao proxy có thể chưa biết về thanh toán." }
    Unpaid "unpaid"
        { "No payment has come for the order." "Chưa có thanh toán cho đơn hàng." }
        { "If the customer has paid, duet-proxy payments list shows whether the transfer reached the proxy, and for which order." "Nếu khách đã trả, duet-proxy payments list cho biết giao dịch đã tới proxy chưa, và cho đơn nào." }
    NoWebhook "no_webhook"
        { "No payment webhook is configured, so no payment can confirm the order." "Chưa cấu hình webhook thanh toán nên không thể xác nhận đơn hàng." }
        { "Set the webhook secret of your payment provider (docs/payments.md), or send the sale from your server with the server key." "Đặt khóa webhook của nhà cung cấp thanh toán (docs/payments.md), hoặc gửi đơn bán từ máy chủ của bạn bằng server key." }
    WebhookSilent "webhook_silent"
        { "A payment webhook is configured, but since the proxy started, no notification has come that proves its sender. If the customer paid in a way that no webhook reports, such as cash on delivery, no notification will come." "Đã cấu hình webhook thanh toán, nhưng từ khi proxy khởi động chưa có thông báo nào chứng minh được người gửi. Nếu khách trả theo cách không webhook nào báo, như COD, sẽ không có thông báo." }
        { "Check the webhook's address at the payment provider. Send cash-on-delivery sales from your server with the server key." "Kiểm tra địa chỉ webhook ở nhà cung cấp thanh toán. Gửi các đơn COD từ máy chủ của bạn bằng server key." }
    BadSignature "bad_signature"
        { "A payment notification came without a valid proof of its sender, so the proxy rejected the notification." "Có thông báo thanh toán không chứng minh được người gửi nên proxy đã từ chối thông báo đó." }
        { "Compare the webhook's secret in the payment provider's dashboard with the secret in the proxy's settings." "So sánh khóa webhook trong trang quản trị của nhà cung cấp thanh toán với khóa trong cài đặt của proxy." }
    UnreadableNotification "unreadable_notification"
        { "A payment notification had a valid proof of its sender, but the proxy could not read the notification. The proxy has not recorded the payment." "Một thông báo thanh toán chứng minh được người gửi, nhưng proxy không đọc được thông báo. Proxy chưa ghi khoản thanh toán đó." }
        { "The proxy's log names the field that the proxy could not read. Record the payment in your shop by hand, and report the notification's format to the developers of Duet." "Nhật ký của proxy nêu trường không đọc được. Ghi thanh toán vào cửa hàng của bạn bằng tay, và báo định dạng của thông báo cho nhóm phát triển Duet." }
    ShortPayment "short_payment"
        { "The customer paid less than the order costs." "Khách trả ít hơn giá đơn hàng." }
        { "Ask the customer for the rest. Or, if you agreed on a lower price, register the order again with this price." "Yêu cầu khách trả phần còn lại. Hoặc, nếu đã thỏa thuận giá thấp hơn, đăng ký lại đơn với giá đó." }
    OtherCurrency "other_currency"
        { "The currency of the payment is not the currency of the order." "Loại tiền của thanh toán khác loại tiền của đơn hàng." }
        { "Register orders in the currency in which customers pay." "Đăng ký đơn hàng bằng loại tiền mà khách thanh toán." }
    Unmatched "unmatched"
        { "The transfer names no order that the proxy knows." "Giao dịch không nêu đơn hàng nào mà proxy biết." }
        { "If the order is not registered, register it. If the memo contains the order id in another form, check SEPAY_ORDER_PATTERN, and the text that the shop gives its customers for the memo." "Nếu đơn chưa được đăng ký, hãy đăng ký. Nếu nội dung chuyển khoản có mã đơn ở dạng khác, kiểm tra SEPAY_ORDER_PATTERN và nội dung chuyển khoản mà cửa hàng đưa cho khách." }
    Ambiguous "ambiguous"
        { "The transfer's memo can mean several unpaid orders, so the proxy cannot know which of these orders was paid." "Nội dung chuyển khoản có thể chỉ nhiều đơn chưa trả, nên proxy không biết đơn nào trong số đó được trả." }
        { "Decide by hand which order is paid. Create order ids in such a way that no id contains another id." "Tự quyết định đơn nào được trả. Tạo mã đơn sao cho không mã nào chứa mã khác." }
    OtherAccount "other_account"
        { "The money came to a bank account that is not in SEPAY_ACCOUNTS, or through a VNPay terminal that is not the one in VNPAY_TMN_CODE." "Tiền vào tài khoản ngân hàng không có trong SEPAY_ACCOUNTS, hoặc qua mã website VNPay khác với VNPAY_TMN_CODE." }
        { "If the bank account belongs to the shop, add it to SEPAY_ACCOUNTS. If the terminal belongs to the shop, correct VNPAY_TMN_CODE." "Nếu tài khoản ngân hàng là của cửa hàng, thêm vào SEPAY_ACCOUNTS. Nếu mã website VNPay là của cửa hàng, sửa VNPAY_TMN_CODE." }
    PaidBefore "paid_before"
        { "The order was already paid when this money came, so the shop owes this money to the customer." "Đơn đã được trả trước khi khoản này đến, nên cửa hàng nợ khách khoản này." }
        { "Pay this money back to the customer." "Hoàn khoản này cho khách." }
    TestPayment "test_payment"
        { "The payment provider is in test mode, but this proxy is not, so the proxy does not count the payment." "Nhà cung cấp thanh toán ở chế độ thử nhưng proxy thì không, nên proxy không tính thanh toán này." }
        { "For real payments, switch the provider to live mode. To test, set TIKTOK_TEST_EVENT_CODE or each pixel's test_event_code." "Để nhận thanh toán thật, chuyển nhà cung cấp sang chế độ thật. Để thử, đặt TIKTOK_TEST_EVENT_CODE hoặc test_event_code của từng pixel." }
    NotCounted "payment_not_counted"
        { "This transfer pays no order, because of what the provider's notification contains. The steps show the reason." "Giao dịch này không trả cho đơn nào, do nội dung thông báo của nhà cung cấp. Các bước cho thấy lý do." }
        { "Look at the transfer in the provider's dashboard." "Xem giao dịch trong trang quản trị của nhà cung cấp." }
    TokenRefused "token_refused"
        { "TikTok refuses the access token, or the token has no permission for the pixel. The proxy keeps the events until the token works, at most 7 days." "TikTok từ chối access token, hoặc token không có quyền với pixel. Proxy giữ sự kiện đến khi token dùng được, nhiều nhất 7 ngày." }
        { "Create a new access token in TikTok's Events Manager. Put the token into the proxy's settings, and restart the proxy. duet-proxy doctor checks the new token." "Tạo access token mới trong Events Manager của TikTok. Đặt token vào cài đặt của proxy rồi khởi động lại proxy. duet-proxy doctor kiểm tra token mới." }
    Throttled "throttled"
        { "TikTok limits how many requests it accepts. The proxy sends the event as soon as TikTok accepts requests again." "TikTok giới hạn số yêu cầu được nhận. Proxy sẽ gửi sự kiện ngay khi TikTok nhận yêu cầu trở lại." }
        { "Wait. If TikTok keeps limiting the requests, set DUET_SEND_LIMIT to a lower number." "Hãy chờ. Nếu TikTok vẫn giới hạn, đặt DUET_SEND_LIMIT nhỏ hơn." }
    TikTokDown "tiktok_down"
        { "TikTok does not answer, or answers with an error. The proxy keeps the event and tries again for 7 days." "TikTok không trả lời hoặc báo lỗi. Proxy giữ sự kiện và thử lại trong 7 ngày." }
        { "Wait: the proxy tries again by itself. If TikTok still does not answer after some minutes, check that the proxy can reach the address in TIKTOK_API_BASE." "Hãy chờ: proxy tự thử lại. Nếu sau vài phút TikTok vẫn không trả lời, kiểm tra xem proxy có tới được địa chỉ trong TIKTOK_API_BASE không." }
    PixelRemoved "pixel_removed"
        { "The event is for a pixel that is no longer configured, so the proxy cannot send the event." "Sự kiện dành cho một pixel không còn được cấu hình, nên proxy không gửi được." }
        { "Add the pixel to the settings again, and send SIGHUP to the proxy. Otherwise the event expires 7 days after the proxy accepted it." "Thêm lại pixel vào cài đặt và gửi SIGHUP cho proxy. Nếu không, sự kiện hết hạn 7 ngày sau khi proxy nhận." }
    Waiting "waiting"
        { "The proxy has stored the event and has not sent it to TikTok yet." "Proxy đã lưu sự kiện và chưa gửi tới TikTok." }
        { "If no proxy is running, start it. Otherwise ask again in a few seconds." "Nếu proxy không chạy, hãy khởi động. Nếu không, hỏi lại sau vài giây." }
    ClockSuspect "clock_suspect"
        { "The clock of the proxy's machine is wrong, or is not confirmed yet after a start. As long as the clock is not confirmed, no event expires." "Đồng hồ của máy chạy proxy sai, hoặc chưa được xác nhận sau khi khởi động. Khi đồng hồ chưa được xác nhận, không sự kiện nào hết hạn." }
        { "Set the machine's clock to the right time, with NTP for example." "Chỉnh đồng hồ của máy cho đúng giờ, ví dụ bằng NTP." }
    DiskRefuses "disk_refuses"
        { "The disk is nearly full or refuses writes, so the proxy accepts no events." "Đĩa gần đầy hoặc từ chối ghi nên proxy không nhận sự kiện." }
        { "Free space on the disk. Pages keep their events and send them when the proxy accepts events again." "Giải phóng dung lượng đĩa. Trang giữ sự kiện và gửi khi proxy nhận sự kiện trở lại." }
}
