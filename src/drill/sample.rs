//! sample: which older backups are proven beside the newest: chosen at random, so that no age is never looked at.

use crate::{
    clock::Timestamp,
    layout::{BackupId, SourceName},
    role::{Inspector, RoleError, Standing},
};

/// More are not even looked at: each costs two requests.
const LOOKED_AT_MAX: usize = 5_000;

/// `count` sealed backups, at most, whose locks have not lapsed by `now`, without the newest. `random` is asked for
/// each.
pub async fn sample(
    inspector: &Inspector,
    source: &SourceName,
    count: usize,
    random: fn() -> [u8; 4],
    now: Timestamp,
) -> Result<Vec<BackupId>, RoleError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let shelf = inspector.shelf(source).await?;
    let judged = inspector.judge_all(source, &shelf, LOOKED_AT_MAX).await?;
    let locked = |standing: &Standing| match standing {
        Standing::Sealed(sealed) => sealed.manifest.locked_until.is_none_or(|until| until > now),
        _ => false,
    };
    let sealed = judged.into_iter().filter(|(_, standing)| locked(standing)).map(|(backup, _)| backup);
    let mut older: Vec<BackupId> = sealed.skip(1).collect();
    let mut chosen = Vec::new();
    while chosen.len() < count && !older.is_empty() {
        let place = u32::from_be_bytes(random()) as usize % older.len();
        chosen.push(older.swap_remove(place));
    }
    Ok(chosen)
}
