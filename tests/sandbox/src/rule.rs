//! The rules of the contract that the sandbox checks, and the severity of each.

use serde::Serialize;

/// How serious a broken rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// A wrong type, a misplaced key, an exposed personal value, or something that must not be sent. In strict mode, the
    /// Events API answers 40002 to a request with a violation.
    Violation,
    /// A remark. A warning never changes an answer.
    Warning,
}

macro_rules! rules {
    ($($severity:ident $name:ident $text:literal $why:literal)*) => {
        /// A rule that a request broke.
        #[expect(clippy::doc_markdown, reason = "people read these texts too, without backticks")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Rule {
            $(#[doc = $why] $name,)*
        }

        impl Rule {
            /// Every rule, violations first.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns the severity of breaking this rule.
            pub fn severity(self) -> Severity {
                match self {
                    $(Self::$name => Severity::$severity,)*
                }
            }

            /// Returns the name of the rule in JSON.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// Returns the reason for the rule, in plain words.
            pub fn why(self) -> &'static str {
                match self {
                    $(Self::$name => $why,)*
                }
            }
        }
    };
}

rules! {
    Violation InvalidJson "invalid_json" "The body is not a JSON object, so nothing in it can be counted."
    Violation WrongToken "wrong_token" "The Access-Token header is missing, or the sandbox does not know its token."
    Violation TokenExposed "token_exposed" "The access token must be only in the Access-Token header of a server."
    Violation UnknownPixel "unknown_pixel" "The pixel does not exist, or the token does not own it."
    Violation MissingField "missing_field" "TikTok refuses an event without this field."
    Violation WrongType "wrong_type" "The value has the wrong JSON type."
    Violation OutOfRange "out_of_range" "The value is too long, has too many elements or is below zero."
    Violation MillisecondTime "millisecond_time" "event_time counts seconds, not milliseconds."
    Violation EventTimeWindow "event_time_window" "The event is older than 28 days or more than 10 minutes in the future."
    Violation RawPersonalData "raw_personal_data" "A personal value was sent in clear text, but must be a SHA-256 digest."
    Violation HashedPlainField "hashed_plain_field" "This field must not be hashed, because TikTok cannot match its digest with a person."
    Violation MisplacedKey "misplaced_key" "The key is at the wrong level of the body. At this level, TikTok ignores the key or gives it another meaning."
    Violation UnlistedCurrency "unlisted_currency" "TikTok does not list this currency."
    Violation UnexpectedRoute "unexpected_route" "No client should request this address."
    Violation UnexpectedMethod "unexpected_method" "No client should use this method at this address."
    Warning NumericString "numeric_string" "A number was sent as text."
    Warning LowerCaseCurrency "lower_case_currency" "Currency codes are upper-case."
    Warning ValueWithoutCurrency "value_without_currency" "Without a currency, TikTok may guess the currency."
    Warning CurrencyWithoutValue "currency_without_value" "A currency without a value has no effect."
    Warning DigestOfNothing "digest_of_nothing" "This value is the SHA-256 of an empty text, so it matches no person."
    Warning UpperCaseDigest "upper_case_digest" "Digests are lower-case hex."
    Warning PhoneNumberKey "phone_number_key" "In the Events API 2.0 the key is phone. With the key phone_number, TikTok cannot match the number with a person."
    Warning RawExternalId "raw_external_id" "If external_id is not hashed, it matches only if the Pixel and every server also send it without a hash."
    Warning DigestUnderRawKey "digest_under_raw_key" "The value is already a digest, and the Pixel may hash it again. Send digests under the keys that begin with sha256_."
    Warning PrivateIp "private_ip" "A private address cannot be the address of a visitor."
    Warning InvalidIp "invalid_ip" "The value is not an IP address."
    Warning NoMatchKey "no_match_key" "TikTok cannot match this event to a person: it has no click id, no browser id, no digest, and no ip with user agent."
    Warning EmptyValue "empty_value" "An empty value should be left out."
    Warning UnknownKey "unknown_key" "TikTok does not list this key and ignores it."
    Warning ContentsAndContentIds "contents_and_content_ids" "Send contents or content_ids, not both."
    Warning ContentType "content_type" "content_type must be product or product_group."
    Warning EventName "event_name" "The name breaks TikTok's rules for event names."
    Warning ReservedEventName "reserved_event_name" "TikTok reserves this name and maps it to another event."
    Warning NoEventId "no_event_id" "Without an event_id, TikTok counts the Pixel's copy and the server's copy as two conversions."
    Warning PossiblePersonalData "possible_personal_data" "The value looks like an e-mail address, but this field must not contain an e-mail address."
    Warning RelativeUrl "relative_url" "The page address should be complete, beginning with https:// or http://."
    Warning AuthorizationHeader "authorization_header" "TikTok ignores the header Authorization. Send the token in the header Access-Token."
    Warning RequestContentType "request_content_type" "The header Content-Type should be application/json."
    Warning UndocumentedOption "undocumented_option" "TikTok does not document this option for the browser."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_has_the_same_name_in_json_and_in_words() {
        for rule in Rule::ALL {
            assert_eq!(serde_json::to_value(rule).unwrap(), rule.name());
        }
    }

    #[test]
    fn the_handbook_lists_every_rule_with_its_severity() {
        let handbook = include_str!("../README.md");
        for rule in Rule::ALL {
            let row = format!("| `{}` | {:?} |", rule.name(), rule.severity()).to_lowercase();
            assert!(handbook.to_lowercase().contains(&row), "no row {row}");
        }
    }
}
