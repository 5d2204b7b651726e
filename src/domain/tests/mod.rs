//! The domain's tests: stories as text, and properties over random stories.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::needless_pass_by_value,
    reason = "a test that overflows panics, as it should"
)]

mod amounts;
mod balance;
mod bounds;
mod claims;
mod depth;
mod evidence;
mod first;
mod holds;
mod invariants;
mod mempool;
mod naive;
mod random;
mod registering;
mod reorgs;
mod requests;
mod setup;
mod small;
mod story;
mod table;
mod telling;
mod time;
mod types;

use self::{setup::Setup, story::Story};

/// Tells a story and checks what each line leads to: `action => expectation`. Lines without
/// `=>` only act. Words of an expectation: a status or `status/reason` first, then
/// `flags=a,b` (`flags=` for none), `review`, `reviewed`, `final`, `received=`, `counted=`,
/// `short=`, `surplus=`, `txid=`, `a:disposition`, `a@state`, `told=kind,kind`,
/// `refused=code`, `duplicate`.
pub fn check(setup: &str, lines: &str) -> Story {
    let mut story = Story::begin(&Setup::read(setup));
    story.go_on(lines);
    story
}

impl Story {
    /// Takes actions with what they must lead to, one a line.
    pub fn go_on(&mut self, lines: &str) {
        for line in lines.lines().map(str::trim).filter(|l| !l.is_empty()) {
            let (action, expected) = line.split_once("=>").unwrap_or((line, ""));
            self.act(action.trim());
            for word in expected.split_whitespace() {
                self.expect(word, line);
            }
        }
    }

    fn expect(&self, word: &str, line: &str) {
        let judged = &self.payment.judged;
        let decimals = self.payment.terms.decimals;
        let text = |amount: crate::domain::amount::Amount| {
            let text = amount.display(decimals).to_string();
            let text = text.trim_end_matches('0').trim_end_matches('.');
            text.to_owned()
        };
        let is = |left: String, right: &str| assert_eq!(left, right, "in: {line}");
        let amount = match word.split_once('=').map_or(word, |(name, _)| name) {
            "received" => Some(judged.received),
            "counted" => Some(judged.counted),
            "short" => Some(judged.shortfall),
            "surplus" => Some(judged.surplus),
            _ => None,
        };
        match (word.split_once('='), amount) {
            (Some((_, value)), Some(amount)) => is(text(amount), value),
            (Some(("flags", value)), _) => is(judged.flags.to_string(), value),
            (Some(("txid", value)), _) => {
                is(
                    format!("{:?}", judged.txid),
                    &format!("{:?}", Some(setup::txid(value))),
                );
            }
            (Some(("told", value)), _) => {
                let kinds: Vec<&str> = self.last.kinds.iter().map(|k| k.as_str()).collect();
                is(kinds.join(","), value);
            }
            (Some(("refused", value)), _) => is(self.last.refused.unwrap_or("no").into(), value),
            (Some(_), None) | (None, Some(_)) => panic!("no expectation: {word}"),
            (None, None) => self.expect_state(word, line),
        }
    }

    fn expect_state(&self, word: &str, line: &str) {
        let judged = &self.payment.judged;
        if let Some((name, disposition)) = word.split_once(':') {
            assert_eq!(
                self.row(name).disposition.as_str(),
                disposition,
                "in: {line}"
            );
        } else if let Some((name, state)) = word.split_once('@') {
            assert_eq!(self.row(name).place.as_str(), state, "in: {line}");
        } else {
            match word {
                "review" => assert!(judged.needs_review, "in: {line}"),
                "reviewed" => assert!(!judged.needs_review, "in: {line}"),
                "final" => assert!(judged.is_final, "in: {line}"),
                "unfinal" => assert!(!judged.is_final, "in: {line}"),
                "duplicate" => assert!(self.last.duplicate, "in: {line}"),
                _ => {
                    let reason = judged.reason.map_or(String::new(), |r| format!("/{r}"));
                    let status = format!("{}{reason}", judged.status);
                    assert_eq!(status, word, "in: {line}");
                }
            }
        }
    }

    fn row(&self, name: &str) -> &crate::domain::transfer::Transfer {
        let rows = &self.payment.transfers;
        rows.iter().find(|t| t.txid == setup::txid(name)).unwrap()
    }
}
