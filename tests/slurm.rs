//! The job scripts of `docs/cluster.md`, run as they stand (with smaller sizes) by a real SLURM of one node that lives in a temporary
//! folder. Needs Debian's slurmctld, slurmd, slurm-client and munge, and root; elsewhere it prints that it did not run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![cfg(target_os = "linux")]

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use spikescope::runs::{self, RunStatus};

/// A daemon that ends with the test.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program(name: &str) -> Option<PathBuf> {
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.exists())
}

fn output(program: &str, arguments: &[&str]) -> String {
    let out = Command::new(program).args(arguments).output().unwrap();
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The bash blocks of the document.
fn scripts() -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cluster.md")).unwrap();
    text.split("```bash\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

struct Slurm {
    folder: tempfile::TempDir,
    _daemons: Vec<Daemon>,
}

impl Slurm {
    /// A SLURM of this machine alone, or why there is none.
    fn start() -> Result<Self, String> {
        let need = |name: &str| {
            program(name).ok_or_else(|| format!("{name} is not installed (apt-get install slurmctld slurmd slurm-client munge)"))
        };
        let (munged, ctld, slurmd) = (need("munged")?, need("slurmctld")?, need("slurmd")?);
        for client in ["sbatch", "srun", "sinfo"] {
            need(client)?;
        }
        if output("id", &["-u"]) != "0" {
            return Err("only root can start a SLURM".to_owned());
        }
        let folder = tempfile::tempdir().unwrap();
        // Munge refuses folders that others may write to.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let host = output("hostname", &["-s"]);
        std::fs::create_dir(at("state")).unwrap();
        std::fs::create_dir(at("spool")).unwrap();
        // Not a secret: nobody else is on this network of one.
        std::fs::write(at("munge.key"), [7u8; 1024]).unwrap();
        std::fs::set_permissions(at("munge.key"), std::fs::Permissions::from_mode(0o400)).unwrap();
        let lines = [
            "ClusterName=test".to_owned(),
            format!("SlurmctldHost={host}(127.0.0.1)"),
            format!("SlurmctldPort={}", free_port()),
            format!("SlurmdPort={}", free_port()),
            "AuthType=auth/munge".to_owned(),
            format!("AuthInfo=socket={}", at("munge.socket")),
            "SlurmUser=root".to_owned(),
            format!("StateSaveLocation={}", at("state")),
            format!("SlurmdSpoolDir={}", at("spool")),
            format!("SlurmctldPidFile={}", at("ctld.pid")),
            format!("SlurmdPidFile={}", at("slurmd.pid")),
            format!("SlurmctldLogFile={}", at("ctld.log")),
            format!("SlurmdLogFile={}", at("slurmd.log")),
            "ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nJobAcctGatherType=jobacct_gather/none".to_owned(),
            "SelectType=select/cons_tres\nSelectTypeParameters=CR_CPU\nReturnToService=2\nMpiDefault=none".to_owned(),
            format!("NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN"),
            "PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n".to_owned(),
        ];
        std::fs::write(at("slurm.conf"), lines.join("\n")).unwrap();
        let start = |program: &Path, arguments: &[String]| {
            let log = || Stdio::from(std::fs::File::options().create(true).append(true).open(at("daemons.log")).unwrap());
            Daemon(Command::new(program).args(arguments).stdin(Stdio::null()).stdout(log()).stderr(log()).spawn().unwrap())
        };
        let munge = ["socket", "key-file", "pid-file", "log-file", "seed-file"].map(|name| {
            format!(
                "--{name}={}",
                at(if name == "key-file" { "munge.key".to_owned() } else { name.replace("socket", "munge.socket") }.as_str())
            )
        });
        let mut daemons = vec![start(&munged, &[vec!["--force".to_owned(), "--foreground".to_owned()], munge.to_vec()].concat())];
        wait("munge", || Path::new(&at("munge.socket")).exists());
        let options = ["-D".to_owned(), "-f".to_owned(), at("slurm.conf")];
        daemons.push(start(&ctld, &options));
        daemons.push(start(&slurmd, &options));
        let slurm = Self { folder, _daemons: daemons };
        wait("a node", || slurm.client("sinfo", &["-h", "-o", "%t"]).1.contains("idle"));
        Ok(slurm)
    }

    fn client(&self, name: &str, arguments: &[&str]) -> (bool, String) {
        let binary = Path::new(env!("CARGO_BIN_EXE_spikescope")).parent().unwrap();
        let out = Command::new(name)
            .args(arguments)
            .current_dir(self.folder.path())
            .env("SLURM_CONF", self.folder.path().join("slurm.conf"))
            .env("PATH", format!("{}:{}", binary.display(), std::env::var("PATH").unwrap()))
            .env("XDG_DATA_HOME", self.folder.path().join("data-home"))
            .env("XDG_STATE_HOME", self.folder.path().join("state-home"))
            .output()
            .unwrap();
        (out.status.success(), String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr))
    }

    /// Submit a script and wait for all of its tasks.
    fn run(&self, name: &str, script: &str) {
        let path = self.folder.path().join(name);
        std::fs::write(&path, script).unwrap();
        let (done, told) = self.client("sbatch", &["--wait", &path.display().to_string()]);
        let logs =
            std::fs::read_dir(self.folder.path()).unwrap().map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "log"));
        let logs: String = logs.map(|p| format!("== {}\n{}\n", p.display(), std::fs::read_to_string(&p).unwrap_or_default())).collect();
        assert!(done, "{name}: {told}\n{logs}");
    }
}

fn wait(what: &str, done: impl Fn() -> bool) {
    for _ in 0..600 {
        if done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{what} did not appear within a minute");
}

/// Each replacement must be there: a script that says something else is not the one that was tested.
fn smaller(script: &str, replacements: &[(&str, &str)]) -> String {
    replacements.iter().fold(script.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the script no longer says '{from}':\n{script}");
        text.replace(from, to)
    })
}

#[test]
fn the_scripts_of_the_document_run_as_job_arrays() {
    let slurm = match Slurm::start() {
        Ok(slurm) => slurm,
        Err(why) => return println!("the SLURM recipes were not run: {why}"),
    };
    let home = slurm.folder.path();
    std::fs::create_dir(home.join("data")).unwrap();
    let rows: String = (0..12_000).map(|k| format!("u{},{}\n", k * 7 % 11 % 8, f64::from(k) * 0.002)).collect();
    for name in ["mc_maze.nwb", "two_areas.nwb"] {
        std::fs::write(home.join("data").join(name).with_extension("csv"), format!("unit,time_s\n{rows}")).unwrap();
    }
    let place = home.display().to_string();
    let [sweep, seeds] = scripts().try_into().expect("the document has two scripts");
    let common = [
        ("#SBATCH --cpus-per-task=8", "#SBATCH --cpus-per-task=1"),
        ("#SBATCH --mem=16G\n", ""),
        ("$HOME", place.as_str()),
        (".nwb", ".csv"),
    ];
    let small = "--set layers=1 --set hidden=16 --set steps=4 --set validate_every=2 --set window_s=0.4 --device cpu";
    let few = format!("--samples 3 {small}");
    let mut less: Vec<(&str, &str)> = common.to_vec();
    less.extend([("--array=1-8", "--array=1-2"), ("--samples 120", few.as_str())]);
    let sweep = smaller(&sweep, &less);
    slurm.run("sweep.sh", &sweep);
    let done: Vec<_> = runs::list(&home.join("runs/maze-sweep")).unwrap();
    assert_eq!(done.len(), 3, "two tasks did three samples between them");
    assert!(done.iter().all(|run| run.manifest.as_ref().is_ok_and(|m| m.status == RunStatus::Complete)));

    // The recipe of a run is the recipe of the next ones.
    std::fs::copy(done[0].path.join(runs::RECIPE), home.join("recipe.toml")).unwrap();
    let mut less: Vec<(&str, &str)> = common.to_vec();
    less.push(("--array=1-5", "--array=1-2"));
    slurm.run("seeds.sh", &smaller(&seeds, &less));
    let mut seeds: Vec<u64> = runs::list(&home.join("runs/seeds")).unwrap().into_iter().map(|run| run.manifest.unwrap().seed).collect();
    seeds.sort_unstable();
    assert_eq!(seeds, [1, 2]);
}
