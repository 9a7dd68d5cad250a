//! orders: a configuration comes into force, at the beginning and at each reload: as a whole or not at all.

use super::{Daemon, DaemonError, Orders, Reread, agenda::Expected, ledger};
use crate::{
    catalog::Catalog,
    failure::with_causes,
    monitor::{Pings, Reload},
    service::{self, ServiceError},
};
use std::sync::Arc;

impl Daemon {
    /// Makes `orders` the ones that are in force, or changes nothing.
    pub(super) async fn take_over(&mut self, orders: Orders) -> Result<(), DaemonError> {
        if orders.charges.iter().all(|charge| charge.timing.schedule.is_none()) {
            return Err(DaemonError::NothingToDo);
        }
        let now = self.clock.now();
        let catalog = Catalog::open(&self.state_dir, now).await?;
        let mut expected = Vec::new();
        for charge in &orders.charges {
            let remembered = ledger::remembered(&catalog, &charge.job.source, now).await?;
            let (source, timing) = (charge.job.source.clone(), charge.timing.clone());
            expected.push(Expected { source, timing, remembered });
        }
        self.pages.show(orders.listen, &self.board, self.clock).map_err(ServiceError::from)?;
        for charge in orders.charges.iter().filter(|charge| charge.timing.schedule.is_none()) {
            tracing::warn!(source = %charge.job.source, "it has no schedule: it is backed up only when somebody asks");
        }
        let next = expected.iter().filter_map(|Expected { source, timing, .. }| {
            let at = timing.schedule.as_ref()?.next(&timing.zone, now)?;
            Some(format!("{source} at {at}"))
        });
        let next = next.collect::<Vec<_>>().join(", ");
        tracing::info!(version = env!("CARGO_PKG_VERSION"), sources = orders.charges.len(), next, "in force");
        self.agenda.expect(expected, orders.runs_at_once, now);
        self.tell_others(&orders);
        let expires = orders.credential_expires;
        let charges = orders.charges.into_iter().map(|charge| (charge.job.source.clone(), Arc::new(charge)));
        self.charges = charges.collect();
        catalog.close().await;
        self.board.update(|shown| {
            shown.reload = Reload { succeeded: true, loaded_at: now };
            shown.credential_expires = expires;
        });
        // It is in force, whatever the catalog cannot tell of it.
        if let Err(error) = self.post(now).await {
            tracing::error!(error = with_causes(&error), "the catalog cannot be read: what is shown may be too old");
        }
        Ok(())
    }

    /// From now on; what was to be told to the ones before is told still.
    fn tell_others(&mut self, orders: &Orders) {
        let pinged = orders.charges.iter().filter_map(|charge| Some((charge.job.source.clone(), charge.ping.clone()?)));
        let pings = Arc::new(Pings::start(pinged, &self.courier));
        // Runs under way keep the pings that they began with, which end with the last of them.
        self.pings = pings;
        self.teller.tell_others(orders.alerts.clone(), &self.courier, &self.board, orders.host.clone());
    }

    /// The new configuration, if nothing is wrong with it; else the old one goes on and says why.
    pub(super) async fn reload(&mut self, reread: &Reread) {
        self.supervisor.reloading();
        let taken = match service::read_again(reread).await {
            Ok(orders) if orders.state_dir != self.state_dir => {
                Err("`state_dir` cannot change while we run: restart for that".to_owned())
            }
            Ok(orders) => self.take_over(orders).await.map_err(|error| with_causes(&error)),
            Err(why) => Err(why),
        };
        service::reloaded(taken, self.charges.len(), &self.board);
        self.supervisor.ready();
    }
}
