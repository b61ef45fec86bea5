//! The command as an operator runs it: what it prints, and what it ends with.

use std::path::PathBuf;
use std::process::{Command, Output};

/// The command, with no variable of ours but those given.
fn stanzad(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stanzad"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("STANZAD_") {
            command.env_remove(name);
        }
    }
    command
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("stanzad.toml");
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

/// Every command, with what it needs to be understood.
const COMMANDS: [&[&str]; 11] = [
    &["serve"],
    &["check"],
    &["probe"],
    &["config", "check"],
    &["config", "show"],
    &["user", "add", "romeo@localhost"],
    &["user", "passwd", "romeo@localhost"],
    &["user", "del", "romeo@localhost"],
    &["user", "list"],
    &["user", "import"],
    &["serve", "--demo"],
];

mod exit_codes {
    use super::*;

    #[test]
    fn a_correct_file_is_0() {
        let (_dir, path) = file("domain = 'example.org'\n");
        let output = stanzad(
            &["config", "check", "--config", path.to_str().unwrap()],
            &[],
        );
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(stdout(&output).contains("configuration is correct"));
    }

    #[test]
    fn a_wrong_option_is_2_in_every_command() {
        for command in COMMANDS {
            let output = stanzad(&[command, &["--set", "sm.max_unaked=1"]].concat(), &[]);
            assert_eq!(output.status.code(), Some(2), "{command:?}");
            assert!(
                stderr(&output).contains("did you mean sm.max_unacked?"),
                "{command:?}"
            );
            assert!(stdout(&output).is_empty(), "{command:?}");
        }
    }

    #[test]
    fn a_missing_file_is_2_in_every_command() {
        for command in COMMANDS {
            let output = stanzad(&[command, &["--config", "no-such-file.toml"]].concat(), &[]);
            assert_eq!(output.status.code(), Some(2), "{command:?}");
            assert!(stderr(&output).contains("no-such-file.toml"), "{command:?}");
        }
    }

    #[test]
    fn an_unknown_argument_is_2() {
        assert_eq!(
            stanzad(&["serve", "--port", "80"], &[]).status.code(),
            Some(2)
        );
        assert_eq!(stanzad(&["sing"], &[]).status.code(), Some(2));
        assert_eq!(stanzad(&[], &[]).status.code(), Some(2));
    }

    #[test]
    fn help_and_version_are_0() {
        let output = stanzad(&["--version"], &[]);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(
            stdout(&output),
            format!("stanzad {}\n", env!("CARGO_PKG_VERSION"))
        );
        for command in COMMANDS {
            let output = stanzad(&[command, &["--help"]].concat(), &[]);
            assert_eq!(output.status.code(), Some(0), "{command:?}");
            assert!(stdout(&output).contains("--set <KEY=VALUE>"), "{command:?}");
            assert!(stdout(&output).contains("--config <FILE>"), "{command:?}");
        }
    }

    #[test]
    fn x3_a_probe_of_a_port_where_nothing_listens_is_1_and_says_which_step() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ws://{}/ws/", listener.local_addr().unwrap());
        drop(listener);
        let output = stanzad(&["probe", &url], &[]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stdout(&output).contains("✗ TCP"), "{}", stdout(&output));
        assert!(stderr(&output).is_empty());
    }

    #[test]
    fn a_probe_of_what_is_no_websocket_url_is_2() {
        let output = stanzad(&["probe", "https://localhost/ws/"], &[]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("wss://"));
    }
}

mod check {
    use super::*;

    #[test]
    fn every_mistake_of_a_file_is_one_line_with_its_number() {
        let (_dir, path) =
            file("[ws]\nping_interval = 25\n\n[sm]\nmax_unaked = 5\nmax_unacked = 5\n");
        let path = path.to_str().unwrap();
        let output = stanzad(&["config", "check", "--config", path], &[]);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2));
        assert!(
            text.starts_with("stanzad: 3 errors in the configuration\n"),
            "{text}"
        );
        let lines: Vec<_> = text.lines().skip(1).collect();
        assert!(
            lines[0].starts_with(&format!("{path}:2: ws.ping_interval = 25 ")),
            "{text}"
        );
        assert!(
            lines[1].starts_with(&format!("{path}:5: there is no option sm.max_unaked")),
            "{text}"
        );
        assert!(lines[2].ends_with("allowed: 10 to 1000000"), "{text}");
    }

    #[test]
    fn what_is_rarely_meant_is_a_warning_and_no_failure() {
        let output = stanzad(&["config", "check", "--set", "endpoint.0.origins=*"], &[]);
        assert_eq!(output.status.code(), Some(0));
        assert!(
            stdout(&output).starts_with("warning: endpoint.origins"),
            "{}",
            stdout(&output)
        );
    }

    #[test]
    fn the_sample_file_is_correct() {
        let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/stanzad.sample.toml");
        let output = stanzad(&["config", "check", "--config", sample], &[]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
}

mod show {
    use super::*;

    #[test]
    fn file_environment_and_both_places_of_set_are_layers() {
        let (_dir, path) =
            file("[sm]\nmax_unacked = 11\nack_request_frequency = 6\nenabled = false\n");
        let arguments = [
            "--config",
            path.to_str().unwrap(),
            "--set",
            "sm.debug_first_h=7",
            "config",
            "show",
            "--set",
            "sm.max_unacked=13",
        ];
        let variables = [
            ("STANZAD_SM__MAX_UNACKED", "12"),
            ("STANZAD_SM__ACK_REQUEST_FREQUENCY", "8"),
        ];
        let text = stdout(&stanzad(&arguments, &variables));
        for line in [
            "max_unacked = 13 ",
            "ack_request_frequency = 8 ",
            "enabled = false ",
            "debug_first_h = 7 ",
        ] {
            assert!(text.contains(&format!("\n{line}")), "{line} in {text}");
        }
    }

    #[test]
    fn a_variable_names_the_file_unless_the_command_line_does() {
        let (_dir, first) = file("domain = 'first.example'");
        let (_other_dir, second) = file("domain = 'second.example'");
        let variables = [("STANZAD_CONFIG", first.to_str().unwrap())];
        let text = stdout(&stanzad(&["config", "show"], &variables));
        assert!(text.contains("domain = \"first.example\""), "{text}");
        let arguments = ["config", "show", "--config", second.to_str().unwrap()];
        let text = stdout(&stanzad(&arguments, &variables));
        assert!(text.contains("domain = \"second.example\""), "{text}");
    }

    #[test]
    fn what_is_shown_is_a_file_that_shows_the_same() {
        let shown = stdout(&stanzad(
            &["config", "show", "--set", "sm.max_unacked=13"],
            &[],
        ));
        let (_dir, path) = file(&shown);
        // A relative path of a file starts from that file, so the state directory is left out.
        let again = stdout(&stanzad(
            &["config", "show", "--config", path.to_str().unwrap()],
            &[],
        ));
        let without_state = |text: &str| -> Vec<String> {
            text.lines()
                .filter(|line| !line.starts_with("state_dir"))
                .map(str::to_owned)
                .collect()
        };
        assert_eq!(without_state(&again), without_state(&shown));
    }

    #[test]
    fn a_mistake_in_the_environment_names_its_variable() {
        let output = stanzad(&["config", "show"], &[("STANZAD_SM__MAX_UNACKED", "many")]);
        assert_eq!(output.status.code(), Some(2));
        let text = stderr(&output);
        assert!(
            text.contains("STANZAD_SM__MAX_UNACKED: sm.max_unacked = many"),
            "{text}"
        );
    }
}

mod reference {
    use super::*;

    #[test]
    fn it_is_printed_whatever_the_options_are() {
        let output = stanzad(
            &["config", "reference"],
            &[("STANZAD_SM__ENABLED", "maybe")],
        );
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout(&output).contains("  sm.unsolicited_ack_frequency = 0\n"));
    }

    #[test]
    fn the_documents_are_what_it_prints() {
        for (form, name) in [
            ("--markdown", "configuration.md"),
            ("--sample", "stanzad.sample.toml"),
        ] {
            let kept = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("docs")
                .join(name);
            let printed = stdout(&stanzad(&["config", "reference", form], &[]));
            assert!(
                printed == std::fs::read_to_string(kept).unwrap(),
                "docs/{name} is out of date"
            );
        }
    }
}
