//! What a payment's row owes by itself: the terms that were asked for, and columns that add up.
//! Knows the plan and the inbox, not the chains.

use super::{
    customers::Order,
    judge::Case,
    moments::best,
    rows::{Shown, Transfer},
    terms::policy,
};
use confirmd::domain::block::TxId;
use rusqlite::{Connection, OptionalExtension as _};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a payment has when nobody says otherwise.
const EXPIRES_IN_MS: i64 = 20 * 60_000;

/// What lives of a payment's transfers is what it received, and what decides is what counts.
pub fn adds_up(
    case: &Case<'_>,
    order: &Order,
    shown: &Shown,
    transfers: &[Transfer],
) -> Result<(), String> {
    let mut of_txs: BTreeMap<TxId, u64> = BTreeMap::new();
    let mut received = 0;
    for transfer in transfers {
        let is_live = ["mempool", "confirmed"].contains(&transfer.state.as_str());
        let disposition = transfer.disposition.as_str();
        if !is_live || transfer.asset != order.asset || disposition == "dust" {
            continue;
        }
        received += transfer.amount;
        if ["counted", "short"].contains(&disposition) {
            *of_txs.entry(transfer.txid).or_default() += transfer.amount;
        }
    }
    let sums: Vec<u64> = of_txs.into_values().collect();
    let counted = best(&sums, &shown.policy).min(order.amount);
    let told = case.told.get(&shown.id);
    if received != shown.received {
        let shown = shown.received;
        return Err(format!(
            "received {shown}, but its transfers are {received}"
        ));
    }
    if counted != shown.counted && !told.is_some_and(|told| told.decided) {
        let shown = shown.counted;
        return Err(format!("{shown} count, but of its transfers {counted} do"));
    }
    Ok(())
}

/// The terms are those of the order or else of the configuration, and surplus calls for a person.
pub fn is_promised(case: &Case<'_>, order: &Order, shown: &Shown) -> Result<(), String> {
    let (asked, plan) = (&order.terms, case.plan);
    let percent = asked.tolerance_percent.unwrap_or(plan.tolerance_percent);
    let allowed = u128::from(order.amount) * u128::from(percent) / 100;
    let wanted = (allowed, i64::try_from(plan.grace_ms).unwrap());
    let found = (u128::from(shown.allowed), shown.grace);
    if found != wanted {
        return Err(format!("shortfall and grace are {found:?}, not {wanted:?}"));
    }
    let policy = policy(asked.sum.unwrap_or(plan.sum));
    let asked = asked.confirmations.map(|number| ("confirmations", number));
    let (rule, confirmations) = asked.unwrap_or_else(|| plan.depth_of(order.asset));
    if shown.rule != rule {
        return Err(format!("waits for {}, not for {rule}", shown.rule));
    }
    let wanted = (policy, confirmations, plan.late_accept_ms);
    let late_accept = u64::try_from(shown.late_accept).unwrap();
    let found = (shown.policy.as_str(), shown.required.into(), late_accept);
    if found != wanted {
        return Err(format!(
            "policy, depth, late money: {found:?}, not {wanted:?}"
        ));
    }
    let wanted = times(case, order);
    let found = (shown.created_at, shown.expires_at);
    if found != wanted {
        return Err(format!("beginning and end are {found:?}, not {wanted:?}"));
    }
    let told = case.told.get(&shown.id);
    let looked_at = told.is_some_and(|told| told.looked_at || told.decided);
    if shown.surplus > 0 && !shown.needs_review && !looked_at {
        return Err("nobody is told of its surplus".to_owned());
    }
    Ok(())
}

/// No credit belongs to two payments.
pub fn nothing_twice(db: &Connection) -> Result<(), String> {
    let sql = "SELECT txid, group_concat(payment_id) FROM v1_transfer WHERE position <> 'dust' AND txid IS NOT NULL
                GROUP BY chain, txid, position HAVING count(*) > 1 LIMIT 1";
    let twice = db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)));
    let twice: Option<(String, String)> = twice.optional().unwrap();
    twice.map_or(Ok(()), |(txid, ids)| {
        Err(format!("{txid} is money of {ids}"))
    })
}

/// From when to when money may come, by what the gateway asked for.
fn times(case: &Case<'_>, order: &Order) -> (i64, i64) {
    let id = order.id.as_str();
    let sql = "SELECT 1 FROM v1_request WHERE request_id = ? AND outcome = 'applied'";
    let mut applied = case.db.prepare_cached(sql).unwrap();
    let mut times = (0, 0);
    for asked in case.inbox.iter().filter(|asked| asked.payment_id == id) {
        if !applied.exists([&asked.request_id]).unwrap() {
            continue;
        }
        match asked.kind.as_str() {
            "register" => {
                assert_eq!(times, (0, 0), "{id} is registered twice");
                let began = asked.created_at.0;
                let end = order.terms.expires_at;
                times = (began, end.unwrap_or(began + EXPIRES_IN_MS));
            }
            "extend" => {
                let body: Value = serde_json::from_str(&asked.body).unwrap();
                times.1 = body["expires_at"].as_i64().unwrap();
            }
            _ => {}
        }
    }
    times
}
