//! The payer's text, and the part that the bank passes on.

use super::instruction::{Instruction, Mangling};

/// The texts of a bank transfer.
#[derive(Debug)]
pub(super) struct Memo {
    pub(super) code: Option<String>,
    pub(super) content: String,
    pub(super) description: String,
}

impl Memo {
    pub(super) fn of(instruction: &Instruction) -> Self {
        let order_id = &instruction.order_id;
        let written = instruction.memo.clone();
        let mut memo = Self {
            code: code(order_id),
            content: written.unwrap_or_else(|| format!("{order_id} chuyen tien")),
            description: String::new(),
        };
        for mangling in &instruction.mangling {
            memo.mangle(*mangling, order_id);
        }
        let found = memo.code.as_ref().is_some_and(|code| {
            let plain = letters_and_digits(&memo.content).to_uppercase();
            plain.contains(code.as_str())
        });
        memo.code = memo.code.filter(|_| found);
        memo
    }

    fn mangle(&mut self, mangling: Mangling, order_id: &str) {
        let content = &self.content;
        self.content = match mangling {
            Mangling::NoSigns => {
                let kept = |char: &char| char.is_ascii_alphanumeric() || *char == ' ';
                content.chars().filter(kept).collect()
            }
            Mangling::NoSpaces => letters_and_digits(content),
            Mangling::LowerCase => content.to_lowercase(),
            Mangling::Spaced => {
                let chars: Vec<char> = content.chars().collect();
                let pieces: Vec<String> = chars
                    .chunks(4)
                    .map(|piece| piece.iter().collect())
                    .collect();
                pieces.join(" ")
            }
            Mangling::Wrapped => {
                format!("MBVCB.3278907687.RUCSIA{content} FT25308710231543 GD 123456")
            }
            Mangling::CutOff => {
                let kept = order_id.chars().count() / 2;
                content.chars().take(kept).collect()
            }
            Mangling::NoCode => {
                self.code = None;
                return;
            }
            Mangling::DescriptionOnly => {
                self.code = None;
                self.description = format!("BankAPINotify {content}");
                "chuyen tien".to_owned()
            }
        };
    }
}

/// Finds SePay's payment code: two letters or more, then letters or digits.
fn code(order_id: &str) -> Option<String> {
    let plain = letters_and_digits(order_id).to_uppercase();
    let prefix = plain.bytes().take_while(u8::is_ascii_alphabetic).count();
    (prefix >= 2 && plain.len() <= 35).then_some(plain)
}

fn letters_and_digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memo_arrives_as_banks_leave_it() {
        use Mangling::{
            CutOff, DescriptionOnly, LowerCase, NoCode, NoSigns, NoSpaces, Spaced, Wrapped,
        };
        let code = Some("PHOSUB17NT");
        for (mangling, code, content, description) in [
            (&[][..], code, "PHO_SUB_17_NT chuyen tien", ""),
            (&[NoSigns, LowerCase], code, "phosub17nt chuyen tien", ""),
            (&[NoSpaces], code, "PHOSUB17NTchuyentien", ""),
            (&[Spaced], code, "PHO_ SUB_ 17_N T ch uyen  tie n", ""),
            (
                &[NoSigns, Wrapped],
                code,
                "MBVCB.3278907687.RUCSIAPHOSUB17NT chuyen tien FT25308710231543 GD 123456",
                "",
            ),
            (&[CutOff], None, "PHO_SU", ""),
            (&[NoCode], None, "PHO_SUB_17_NT chuyen tien", ""),
            (
                &[LowerCase, DescriptionOnly],
                None,
                "chuyen tien",
                "BankAPINotify pho_sub_17_nt chuyen tien",
            ),
        ] {
            let memo = Memo::of(&Instruction {
                order_id: "PHO_SUB_17_NT".to_owned(),
                mangling: mangling.to_vec(),
                ..Instruction::default()
            });
            let found = (memo.code.as_deref(), &*memo.content, &*memo.description);
            assert_eq!(found, (code, content, description), "{mangling:?}");
        }
    }
}
