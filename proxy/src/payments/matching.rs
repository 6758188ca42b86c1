//! Which order a transfer pays: exactly one that is not paid, or none.

use super::memo::Candidate;
use crate::orders::{Order, Status};

/// What the orders that are known make of a memo.
#[derive(Debug)]
pub enum Match {
    /// This one is meant.
    One(Box<Order>),
    /// None of them is named.
    None,
    /// Several that are not paid are named.
    Several,
}

/// Asks `orders_that_read` for each candidate, the most certain first, and stops at the first certainty at which any
/// order is named. A piece of a longer id that is known does not count.
///
/// # Errors
/// Those of `orders_that_read`.
pub fn matched<E>(
    candidates: impl Iterator<Item = Candidate>,
    mut orders_that_read: impl FnMut(&str) -> Result<Vec<Order>, E>,
) -> Result<Match, E> {
    let mut named: Vec<Candidate> = Vec::new();
    let mut orders: Vec<Order> = Vec::new();
    for candidate in candidates {
        if let Some(first) = named.first()
            && first.strength != candidate.strength
        {
            break;
        }
        if named.iter().any(|longer| candidate.lies_inside(longer)) {
            continue;
        }
        let found = orders_that_read(&candidate.text)?;
        if found.is_empty() {
            continue;
        }
        named.push(candidate);
        for order in found {
            if orders.iter().all(|known| known.id() != order.id()) {
                orders.push(order);
            }
        }
    }
    let (mut open, mut paid): (Vec<_>, Vec<_>) = orders
        .into_iter()
        .partition(|order| order.status() != Status::Paid);
    Ok(match (open.len(), paid.len()) {
        (1, _) => one(open.pop()),
        (0, 1) => one(paid.pop()),
        (0, 0) => Match::None,
        _ => Match::Several,
    })
}

fn one(order: Option<Order>) -> Match {
    order.map_or(Match::None, |order| Match::One(Box::new(order)))
}
