//! page: stub.
pub fn drill_report(_: &crate::proof::DrillReport) -> String {
    String::new()
}
