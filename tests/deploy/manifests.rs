//! manifests: what goes to Kubernetes and to compose fits their schemas, asks for no right, and holds a configuration
//! that Strongroom reads.

use super::{deployed, is_refused, passes, replaced, said};
use crate::support::{Scratch, cache, strongroom};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};

fn python() -> Command {
    Command::new(cache().join("validators/bin/python"))
}

fn manifests() -> Vec<PathBuf> {
    let entries = fs::read_dir(deployed("kubernetes")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).collect();
    files.sort();
    assert!(files.len() >= 5, "{files:?}");
    files
}

/// The documents of a YAML file.
fn documents(file: &Path) -> Vec<Value> {
    let script = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    let json = passes(python().args(["-c", script]).arg(file));
    serde_json::from_str(&json).unwrap()
}

/// The one document of `kind` with this name in all manifests.
fn named(kind: &str, name: &str) -> Value {
    let all = manifests().into_iter().flat_map(|file| documents(&file));
    let found: Vec<_> =
        all.filter(|document| document["kind"] == kind && document["metadata"]["name"] == name).collect();
    assert_eq!(found.len(), 1, "{kind} {name}");
    found.into_iter().next().unwrap()
}

/// The depositor's document of `kind`.
fn manifest(kind: &str) -> Value {
    named(kind, if kind == "CronJob" { "strongroom-app" } else { "strongroom" })
}

const WATCHERS: [&str; 2] = ["strongroom-watch", "strongroom-drill"];

#[test]
fn manifests_fit_the_oldest_and_the_newest_kubernetes() {
    let validate = |release: &str, files: &[PathBuf]| {
        let mut command = python();
        command.args(["-m", "kubernetes_validate", "--strict", "--kubernetes-version", release]).args(files);
        command
    };
    for release in ["1.31.0", "1.37.0"] {
        let said = passes(&mut validate(release, &manifests()));
        for resource in [
            "deployment/strongroom",
            "deployment/strongroom-watch",
            "deployment/strongroom-drill",
            "cronjob/strongroom-app",
            "networkpolicy/strongroom",
            "networkpolicy/strongroom-drill",
        ] {
            assert!(said.contains(&format!("passed for resource {resource}")), "{said}");
        }
    }
    let scratch = Scratch::new();
    let wrong = scratch.path().join("wrong.yaml");
    let text = fs::read_to_string(deployed("kubernetes/deployment.yaml")).unwrap();
    fs::write(&wrong, replaced(&text, "readOnlyRootFilesystem", "readOnlyRootFilesytem")).unwrap();
    assert!(is_refused(&mut validate("1.37.0", &[wrong])).contains("readOnlyRootFilesytem"));
}

#[test]
fn the_compose_file_fits_its_schema() {
    let validate = |file: &Path| {
        let mut command = python();
        command.args(["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]).arg(file);
        command
    };
    let file = deployed("container/compose.yaml");
    passes(&mut validate(&file));
    let scratch = Scratch::new();
    let wrong = scratch.path().join("compose.yaml");
    fs::write(&wrong, replaced(&fs::read_to_string(file).unwrap(), "read_only: true", "readonly: true")).unwrap();
    assert!(is_refused(&mut validate(&wrong)).contains("readonly"));
}

/// What the `restricted` Pod Security Standard asks for, and a little more.
#[test]
fn no_pod_asks_for_a_right() {
    let cron_job = manifest("CronJob");
    let watchers = WATCHERS.map(|name| named("Deployment", name));
    let pods = [
        &manifest("Deployment")["spec"]["template"]["spec"],
        &cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"],
        &watchers[0]["spec"]["template"]["spec"],
        &watchers[1]["spec"]["template"]["spec"],
    ];
    for pod in pods {
        assert_eq!(pod["automountServiceAccountToken"], false);
        for key in ["hostNetwork", "hostPID", "hostIPC", "initContainers", "serviceAccountName"] {
            assert!(pod[key].is_null(), "{key}");
        }
        let context = &pod["securityContext"];
        assert_eq!(context["runAsNonRoot"], true);
        assert_eq!([&context["runAsUser"], &context["runAsGroup"], &context["fsGroup"]], [10001; 3]);
        assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault");
        let [container] = &pod["containers"].as_array().unwrap()[..] else { panic!("one container: {pod:#}") };
        let context = &container["securityContext"];
        let asked = serde_json::json!({
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] }
        });
        assert_eq!(context, &asked);
        assert!(container["resources"]["limits"]["memory"].is_string());
        for volume in pod["volumes"].as_array().unwrap() {
            let kinds = ["configMap", "secret", "persistentVolumeClaim", "emptyDir"];
            assert!(kinds.iter().any(|kind| volume[kind].is_object()), "{volume}");
        }
    }
    for pod in &pods[1..] {
        assert_eq!(pods[0]["securityContext"], pod["securityContext"]);
        assert_eq!(pods[0]["containers"][0]["volumeMounts"], pod["containers"][0]["volumeMounts"]);
    }
    let policy = manifest("NetworkPolicy");
    for pod in ["/spec/template", "/spec/jobTemplate/spec/template"].map(|at| format!("{at}/metadata/labels")) {
        let labels = [manifest("Deployment"), manifest("CronJob")].iter().find_map(|kind| kind.pointer(&pod).cloned());
        let name = "app.kubernetes.io/name";
        assert_eq!(labels.unwrap()[name], policy["spec"]["podSelector"]["matchLabels"][name]);
    }
}

/// A configuration that is shipped.
struct Shipped {
    place: &'static str,
    role: &'static str,
    text: String,
    /// Of its credentials' names.
    prefix: &'static str,
}

fn configurations() -> Vec<Shipped> {
    let mut all = Vec::new();
    for (role, map) in [("depositor", "strongroom"), ("inspector", WATCHERS[0]), ("restorer", WATCHERS[1])] {
        let file = |folder: &str| fs::read_to_string(deployed(folder).join(format!("{role}.toml"))).unwrap();
        let map = named("ConfigMap", map)["data"][format!("{role}.toml")].as_str().unwrap().to_owned();
        all.push(Shipped { place: "systemd", role, text: file("systemd"), prefix: "keys_" });
        all.push(Shipped { place: "container", role, text: file("container"), prefix: "" });
        all.push(Shipped { place: "kubernetes", role, text: map, prefix: "" });
    }
    all
}

#[test]
fn every_shipped_configuration_is_read_with_the_keys_that_init_makes() {
    for Shipped { place, role, text, prefix } in configurations() {
        let scratch = Scratch::new();
        let (folder, credentials) = (scratch.path().join("made"), scratch.path().join("credentials"));
        let options = ["--source", "app=postgres://strongroom@db/app", "--vault", "offsite=s3://acme-vault-d35/prod"];
        strongroom(&[&["init", folder.to_str().unwrap(), "--yes"][..], &options].concat()).exits(0);
        fs::create_dir(&credentials).unwrap();
        let keys: &[&str] = match role {
            "depositor" => &["signing.key", "recipients.txt", "digest.key"],
            "inspector" => &["signing.pub", "report.pub"],
            _ => &["signing.pub", "drill.key", "report.key"],
        };
        for key in keys {
            fs::copy(folder.join("keys").join(key), credentials.join(format!("{prefix}{key}"))).unwrap();
        }
        for key in ["app.password", "billing.password"] {
            fs::write(credentials.join(format!("{prefix}{key}")), "secret\n").unwrap();
        }
        let access = "access_key_id = \"A\"\nsecret_access_key = \"B\"\n";
        for holder in [role, "reporter"] {
            fs::write(credentials.join(format!("{prefix}{holder}.toml")), access).unwrap();
        }
        let config = scratch.path().join(format!("{role}.toml"));
        fs::write(&config, text).unwrap();

        // Another role's verb: the configuration was read to its end, and nothing else was done.
        let others = if role == "depositor" { "list" } else { "backup" };
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
        command.arg("-c").arg(&config).arg(others).env("CREDENTIALS_DIRECTORY", &credentials);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{place}: {}", said(&output));
        let refused = format!("the configuration of the {role}");
        assert!(said(&output).contains(&refused), "{place}: {}", said(&output));

        fs::remove_file(credentials.join(format!("{prefix}{}", keys[0]))).unwrap();
        let refused = is_refused(&mut command);
        assert!(refused.contains(&format!("{prefix}{}", keys[0])), "{place}: {refused}");
    }
}

/// A server that answers each request with `status`, and its port.
fn answering(status: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            assert_eq!(lines.next().unwrap().unwrap(), "GET /healthz HTTP/1.0");
            assert!(lines.map(Result::unwrap).any(|line| line.is_empty()), "a request ends in an empty line");
            drop(write!(stream, "HTTP/1.0 {status}\r\ncontent-length: 0\r\n\r\n")); // who asked may have left
        }
    });
    port
}

/// The program and arguments of compose's health check.
pub fn health_check() -> Vec<String> {
    let compose = documents(&deployed("container/compose.yaml")).remove(0);
    let test = &compose["services"]["strongroom"]["healthcheck"]["test"];
    let words: Vec<String> = serde_json::from_value(test.clone()).unwrap();
    assert_eq!(words[0], "CMD");
    words[1..].to_vec()
}

#[test]
fn the_health_check_of_compose_tells_health_from_illness() {
    let words = health_check();
    let check = |port: u16| {
        let mut command = Command::new(&words[0]);
        command.arg(&words[1]).arg(replaced(&words[2], "/7470", &format!("/{port}")));
        command
    };
    passes(&mut check(answering("200 OK")));
    is_refused(&mut check(answering("503 Service Unavailable")));
    is_refused(&mut check(1)); // nobody listens there
}

#[test]
fn compose_and_kubernetes_give_the_secrets_that_their_configuration_names() {
    let compose = documents(&deployed("container/compose.yaml")).remove(0);
    for Shipped { place, role, text, .. } in configurations().into_iter().filter(|shipped| shipped.place != "systemd") {
        let (service, told) = match role {
            "depositor" => ("strongroom", "configmap.yaml"),
            "inspector" => ("watch", "watch.yaml"),
            _ => ("drill", "drill.yaml"),
        };
        let given = compose["services"][service]["secrets"].as_array().unwrap();
        let told = fs::read_to_string(deployed("kubernetes").join(told)).unwrap();
        for secret in text.split("= { systemd = \"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(given.iter().any(|given| given == secret), "{place}: compose gives no {secret}");
            assert!(told.contains(&format!("--from-file=keys/{secret}")), "{place}: {secret} is in no Secret");
        }
        // And none of another role.
        let foreign: &[&str] = match role {
            "depositor" => &["drill.key", "report.key", "inspector.toml", "restorer.toml"],
            "inspector" => &["signing.key", "drill.key", "report.key", "depositor.toml", "restorer.toml"],
            _ => &["signing.key", "digest.key", "depositor.toml", "recovery.key"],
        };
        let none = |secret: &&str| given.iter().all(|given| given != *secret);
        assert!(foreign.iter().all(none) && !foreign.iter().any(|key| told.contains(&format!("keys/{key}"))), "{role}");
    }
}
