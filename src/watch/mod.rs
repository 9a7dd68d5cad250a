//! watch: the inspector's daemon, and the restorer's beside it: confirms and drills on a schedule, and judges every
//! source by what the vault holds, never by what the depositor's daemon says of itself.
