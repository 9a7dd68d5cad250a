//! quick: how things are now, without a daemon: a listing of every vault, beside what the catalog remembers. It writes
//! nothing.

use super::{
    Orders, WatchError,
    facts::{self, DrillsKnown, Known},
    look,
    memory::{Depth, Memory},
    orders,
};
use crate::{
    catalog::{Catalog, Place},
    clock::{Clock, SignedDuration},
    health::{self, Health},
};
use futures_util::future::join_all;

const WITHIN: SignedDuration = SignedDuration::from_secs(60);

pub async fn health(orders: &Orders, clock: Clock) -> Result<Health, WatchError> {
    let catalog = Catalog::open_read_only(&orders.state_dir).await?;
    let mut all = Vec::new();
    for charge in &orders.charges {
        let now = clock.now();
        let mut memories = Vec::new();
        for place in &charge.places {
            let at = Place { vault: &place.vault, source: &charge.source, address: &place.address };
            memories.push(match &catalog {
                Some(catalog) => orders::load(catalog, at, now).await?,
                None => Memory::default(),
            });
        }
        let (mut reports, mut first_seen_at) = (Vec::new(), now);
        if let Some(catalog) = &catalog {
            reports = orders::load_reports(catalog, &charge.source).await?;
            first_seen_at = catalog.seen_since(&charge.source).await?.unwrap_or(now);
        }
        let looks = charge.places.iter().zip(&mut memories).map(async |(place, memory)| {
            let seen = memory.seen(now, place.term);
            let looked = look::confirmed(&place.inspector, &charge.source, Depth::Listing, seen, WITHIN, clock).await;
            match looked {
                Ok(looked) => drop(memory.take(Depth::Listing, &looked, place.term)), // nothing is written
                Err(why) => memory.fail(clock.now(), why),
            }
        });
        join_all(looks).await;
        let watched = catalog.is_some() && (orders.drills.is_some() || orders.sight.reports.is_some());
        let known = Known {
            first_seen_at,
            memories: memories.iter().collect(),
            drills: watched.then(|| DrillsKnown { reports: &reports, running_since: None, next_at: None, disk: None }),
        };
        all.push(facts::facts(charge, known, &orders.sight, clock.now()));
    }
    if let Some(catalog) = catalog {
        catalog.close().await;
    }
    Ok(health::judge(clock.now(), &all))
}
