//! confirming: the verb that reads back what vaults hold, and what its outcome is for a program.

use super::{Door, VerbError, chosen, reading::read_identity};
use crate::cli::{Failure, arguments::ConfirmOptions, bar, show};
use crate::{
    config::{Keys, Plan, SourcePlan},
    confirm::{self, Confirmation, Order, Verdict},
    failure::Kind,
    finding::Gravity,
    keyring::Identities,
    progress::Progress,
    role::{Inspector, Restorer, RoleError, VaultSettings},
};
use std::sync::Arc;

/// One vault, ready to be looked into as far as was asked for.
enum Looker {
    Inspector(Box<Inspector>),
    Restorer(Restorer),
}

/// Who looks, and at what.
type Looking = (Vec<Looker>, Vec<VaultSettings>, Vec<SourcePlan>);

impl Looker {
    fn inspector(&self) -> &Inspector {
        match self {
            Self::Inspector(inspector) => inspector,
            Self::Restorer(restorer) => restorer.inspector(),
        }
    }
}

impl Door {
    pub async fn confirm(&self, plan: Plan, options: &ConfirmOptions) -> Result<u8, Failure> {
        let wanted: Vec<_> = options.source.iter().cloned().collect();
        chosen(&plan.sources, &wanted)?;
        let accepted = plan.watch.accepted.clone();
        let (lookers, vaults, sources) = self.lookers(plan, options)?;
        let (mut read, mut unread) = (Vec::new(), Vec::new());
        for looker in &lookers {
            let vault = looker.inspector().vault();
            let asked = |source: &&SourcePlan| options.vault.is_some() || deposits_in(source, &vaults, vault);
            for source in chosen(&sources, &wanted)?.into_iter().filter(asked) {
                let order = Order { source: source.name.clone(), newest: options.newest, seen: Vec::new() };
                match self.look(looker, &order).await {
                    Ok(mut confirmation) => {
                        confirmation.accept(&accepted);
                        read.push(confirmation);
                    }
                    // A key that opens nothing will open nothing elsewhere.
                    Err(error @ RoleError::Unpack { .. }) => return Err(error.into()),
                    // The other vaults have theirs to show.
                    Err(error) => unread.push(error),
                }
            }
        }
        if !read.is_empty() {
            show::confirmations(&read, self.json)?;
        }
        let code = exit_code(&read, unread.len());
        let mut unread = unread.into_iter();
        let last = if read.is_empty() { unread.next_back() } else { None };
        unread.for_each(|error| show::failure(&error.into(), self.json));
        match last {
            Some(error) => Err(error.into()),
            None => Ok(code),
        }
    }

    async fn look(&self, looker: &Looker, order: &Order) -> Result<Confirmation, RoleError> {
        let mut confirmation = confirm::confirm(looker.inspector(), order, self.clock).await?;
        if let Looker::Restorer(restorer) = looker {
            let progress = Arc::new(Progress::default());
            let title = format!("confirm {} in {}", order.source, confirmation.vault);
            let reading = confirm::deep(restorer, order, &mut confirmation, &progress);
            bar::watch(&title, &progress, self.json, reading).await?;
        }
        Ok(confirmation)
    }

    fn lookers(&self, plan: Plan, options: &ConfirmOptions) -> Result<Looking, Failure> {
        const VERB: &str = "confirm";
        let found = plan.role();
        let inspectors = self.inspectors(&plan, VERB, options.vault.as_deref())?;
        let Plan { keys, vaults, sources, .. } = plan;
        if !options.deep {
            return Ok((
                inspectors.into_iter().map(|inspector| Looker::Inspector(Box::new(inspector))).collect(),
                vaults,
                sources,
            ));
        }
        let wrong = || VerbError::WrongRole { verb: "confirm --deep", found, wanted: "restorer" };
        let (verifying, configured) = match keys {
            Keys::Restorer { verifying, identities, .. } => (verifying, Some(identities)),
            Keys::Inspector { verifying, .. } => (verifying, None),
            Keys::Depositor(_) => return Err(wrong().into()),
        };
        let given = options.identity.as_deref().map(read_identity).transpose()?;
        let identities: Arc<Identities> = Arc::new(given.or(configured).ok_or_else(wrong)?);
        let named = |inspector: Inspector| vaults.iter().find(|vault| vault.name == inspector.vault());
        let lookers = inspectors.into_iter().filter_map(named).map(|vault| {
            let restorer = Restorer::open(vault, verifying.clone(), Arc::clone(&identities), self.clock)?;
            Ok(Looker::Restorer(restorer))
        });
        let lookers = lookers.collect::<Result<_, Failure>>()?;
        Ok((lookers, vaults, sources))
    }
}

fn deposits_in(source: &SourcePlan, vaults: &[VaultSettings], vault: &str) -> bool {
    source.deposits.iter().any(|deposit| vaults[deposit.vault].name == vault)
}

/// The worst of what was found; nothing that could be looked at, or nothing that is promised, is no confirmation.
fn exit_code(read: &[Confirmation], unread: usize) -> u8 {
    let gravest = read.iter().filter_map(Confirmation::gravest).max();
    let told = |wanted: &[Gravity]| {
        read.iter().flat_map(|confirmation| &confirmation.findings).any(|finding| wanted.contains(&finding.gravity()))
    };
    if told(&[Gravity::Tampering, Gravity::Loss]) {
        return Kind::Mismatch as u8;
    }
    if gravest == Some(Gravity::Weakness) {
        return Kind::NotImmutable as u8;
    }
    let standing =
        |confirmation: &Confirmation| confirmation.backups.iter().any(|judged| judged.verdict != Verdict::Lapsed);
    let sure = |confirmation: &Confirmation| confirmation.unverified.is_empty() && standing(confirmation);
    if unread == 0 && read.iter().all(sure) { 0 } else { Kind::CouldNotVerify as u8 }
}
