//! daemon: what `strongroom.service` did on the machine that systemd.rs boots.

use super::systemd::Machine;

/// All that the alert rules ask for, and each in the daemon's own words.
pub fn it_backs_up_answers_reloads_and_ends(machine: &Machine) {
    for step in ["daemon_start", "daemon_reload", "daemon_reload_wrong", "daemon_stop"] {
        machine.done(step);
    }
    let log = machine.text("daemon.log");
    let running = machine.text("daemon_running.txt");
    assert!(running.contains("ActiveState=active") && running.contains("NRestarts=0"), "{running}\n{log}");
    assert!(running.contains("StatusText=2 of 2 sources"), "{running}\n{log}");
    for page in ["healthz", "readyz"] {
        let answer = machine.text(&format!("daemon_{page}.txt"));
        assert!(answer.starts_with("HTTP/1.0 200 OK"), "{page}: {answer}");
    }
    let metrics = machine.text("daemon_metrics.txt");
    for metric in super::alerts::asked() {
        assert!(metrics.contains(&format!("\n{metric}")), "an alert asks for {metric}, which there is not:\n{metrics}");
    }
    assert!(machine.text("daemon_metrics_wrong.txt").contains("strongroom_config_reload_success 0"), "{log}");

    let stopped = machine.text("daemon_stopped.txt");
    assert!(stopped.contains("Result=success") && stopped.contains("ExecMainStatus=0"), "{stopped}\n{log}");
    assert_ne!(machine.text("daemon_start_wrong.code"), "0\n");
    let wrong = machine.text("daemon_wrong.txt");
    for fact in ["ActiveState=failed", "ExecMainStatus=2", "NRestarts=0"] {
        assert!(wrong.contains(fact), "settings that are wrong are tried again: {wrong}\n{log}");
    }
}
