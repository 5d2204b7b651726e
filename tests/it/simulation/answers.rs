//! What the gateway is answered: no order is refused that may be placed, and no nonsense is done. Which
//! commands are refused depends on when they are read; what they do, the judge sees.

use super::{
    customers::{Order, registration},
    judge::Case,
    oddities::MALFORMED,
};
use confirmd::domain::{request::Request, time::UnixMs};
use rusqlite::Connection;
use std::collections::{HashMap, HashSet};

/// What became of a request: outcome and code.
type Answer = (String, String);

/// Looks at every request in the order in which it was asked.
pub fn are_right(case: &Case<'_>) -> Result<(), String> {
    let answers = answers(case.db);
    let mut known = Known::default();
    for asked in case.inbox {
        let answer = answers.get(&asked.request_id);
        let none = || format!("{}: {} has no answer", asked.payment_id, asked.kind);
        let (outcome, code) = answer.ok_or_else(none)?;
        if !known.is_right(case, asked, outcome, code) {
            let Request {
                payment_id,
                kind,
                body,
                ..
            } = asked;
            return Err(format!("{payment_id}: {kind} {body} was {outcome} {code}"));
        }
    }
    Ok(())
}

fn answers(db: &Connection) -> HashMap<String, Answer> {
    let sql = "SELECT request_id, outcome, ifnull(code, '') FROM v1_request";
    let mut statement = db.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))));
    rows.unwrap().map(Result::unwrap).collect()
}

/// The orders that were registered up to a request.
#[derive(Default)]
struct Known<'a>(HashSet<&'a str>);

impl<'a> Known<'a> {
    fn is_right(&mut self, case: &Case<'a>, asked: &'a Request, outcome: &str, code: &str) -> bool {
        let order = case.orders.get(&asked.payment_id);
        match (asked.kind.as_str(), asked.body.as_str()) {
            ("register", body) => {
                let ours = order.filter(|order| registration(order) == body);
                self.registers(case, ours, asked.created_at, (outcome, code))
            }
            asked => !MALFORMED.contains(&asked) || outcome == "refused",
        }
    }

    /// An address is given out again only when it is free; what a wrong clock puts into the future is
    /// refused.
    fn registers(
        &mut self,
        case: &Case<'a>,
        order: Option<&'a Order>,
        at: UnixMs,
        (outcome, code): (&str, &str),
    ) -> bool {
        let Some(order) = order else {
            return outcome == "refused";
        };
        if self.0.contains(order.id.as_str()) {
            return outcome == "duplicate";
        }
        if outcome == "applied" {
            return self.0.insert(&order.id);
        }
        match code {
            // No watch ends while nobody can see the chain.
            "address_in_use" => case.world.sight(order.which).was_hindered_at(at),
            "created_in_future" => case.plan.faults.clock_jump > 0,
            _ => false,
        }
    }
}
