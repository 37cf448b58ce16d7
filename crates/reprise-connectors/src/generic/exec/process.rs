//! One program from its start to its end.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use reprise_model::{Fault, FaultKind, Outcome};
use reprise_ports::{Context, Progress};
use rustix::process::{Pid, Signal, kill_process_group, set_parent_process_death_signal};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::super::resolve::Secrets;
use super::listen::{listen, overhear};
use super::protocol::shown;

/// Between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(5);
/// After the program's end, until its output must have ended too: a process
/// that it left behind may hold the pipe.
const DRAIN: Duration = Duration::from_secs(1);
/// The outputs of needed tasks are the larger part of the input.
const INPUT_BYTES: usize = 16 << 20;

pub(super) struct Job {
    pub path: PathBuf,
    pub arguments: Vec<String>,
    pub folder: PathBuf,
    pub environment: BTreeMap<String, String>,
    pub input: Vec<u8>,
    pub secrets: Secrets,
}

pub(super) async fn run(job: Job, context: &dyn Context) -> Result<Outcome, Fault> {
    if job.input.len() > INPUT_BYTES {
        let bytes = job.input.len();
        let what = format!("the task is {bytes} bytes as JSON, over the limit of {INPUT_BYTES}");
        return Err(Fault::permanent(what));
    }
    let program = job.path.display().to_string();
    let mut child = spawn(command(&job))
        .await
        .map_err(|error| Fault::permanent(format!("cannot run {program}: {error}")))?;
    tracing::debug!(program, pid = child.id(), "program started");
    let mut group = Group::of(&child);
    let mut outcome = Outcome::default();
    let mut errors = VecDeque::new();
    let ended = {
        let talk = talk(&mut child, &job, context, &mut outcome, &mut errors);
        tokio::select! {
            ended = talk => ended,
            () = context.cancelled().cancelled() => {
                Err(Fault::new(FaultKind::Cancelled, format!("{program} was cancelled")))
            }
        }
    };
    let ended = match ended {
        Ok(status) => Ok(status),
        Err(fault) => {
            group.end(&mut child).await;
            Err(fault)
        }
    };
    // Whatever it left behind in its group ends with it.
    group.kill();
    judge(ended?, outcome, &program, &errors)
}

fn command(job: &Job) -> Command {
    let mut command = Command::new(&job.path);
    command
        .args(&job.arguments)
        .current_dir(&job.folder)
        .env_clear()
        .envs(&job.environment)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    // SAFETY: prctl is async-signal-safe and touches no memory of ours.
    unsafe {
        command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::TERM))?));
    }
    command
}

/// Starts the program from a thread that lives as long as the process: the
/// death signal follows the *thread* that started it.
async fn spawn(mut command: Command) -> io::Result<Child> {
    type Start = Box<dyn FnOnce() + Send>;
    static STARTER: OnceLock<mpsc::Sender<Start>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (sender, starts) = mpsc::channel::<Start>();
        std::thread::spawn(move || starts.into_iter().for_each(|start| start()));
        sender
    });
    let (answer, started) = tokio::sync::oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    let start = move || {
        let _inside = runtime.enter();
        command.kill_on_drop(true);
        // If nobody waits any more, the child is dropped, and killed.
        let _ = answer.send(command.spawn());
    };
    starter
        .send(Box::new(start))
        .map_err(|_| io::Error::other("the starting thread is gone"))?;
    started
        .await
        .map_err(|_| io::Error::other("the starting thread is gone"))?
}

async fn talk(
    child: &mut Child,
    job: &Job,
    context: &dyn Context,
    outcome: &mut Outcome,
    errors: &mut VecDeque<String>,
) -> Result<ExitStatus, Fault> {
    let mut stdin = child.stdin.take().expect("it is piped");
    let stdout = child.stdout.take().expect("it is piped");
    let stderr = child.stderr.take().expect("it is piped");
    let feed = async move {
        // A program need not read its task.
        let _ = stdin.write_all(&job.input).await;
    };
    let listen = async {
        let told = |fraction| {
            context.progress(Progress {
                fraction: Some(fraction),
                ..Progress::default()
            });
        };
        let heard = listen(stdout, &job.secrets, told, outcome);
        let (heard, ()) = tokio::join!(heard, overhear(stderr, &job.secrets, errors));
        heard
    };
    let both = async { tokio::join!(listen, feed).0 };
    tokio::pin!(both);
    let lost = |error| Fault::temporary(format!("cannot wait for the program: {error}"));
    tokio::select! {
        heard = &mut both => {
            heard?;
            child.wait().await.map_err(lost)
        }
        status = child.wait() => {
            let status = status.map_err(lost)?;
            if let Ok(heard) = tokio::time::timeout(DRAIN, &mut both).await {
                heard?;
            }
            Ok(status)
        }
    }
}

/// 0 is done, 75 (EX_TEMPFAIL) and a signal (out of memory, a machine going
/// down) may pass, anything else will not. Done is not enough where a check
/// failed, or could not look: unknown is never a pass. What was checked is
/// told however the program ended.
fn judge(
    status: ExitStatus,
    outcome: Outcome,
    program: &str,
    errors: &VecDeque<String>,
) -> Result<Outcome, Fault> {
    let kind = match status.code() {
        Some(0) => None,
        Some(75) | None => Some(FaultKind::Temporary),
        Some(_) => Some(FaultKind::Permanent),
    };
    let mut fault = match kind {
        Some(kind) => Fault {
            checks: outcome.checks,
            ..Fault::new(kind, format!("{program} ended with {status}"))
        },
        None => match outcome.judged() {
            Ok(outcome) => return Ok(outcome),
            Err(fault) => Fault {
                message: format!("{program}: {}", shown(&fault.message)),
                ..fault
            },
        },
    };
    for line in errors {
        fault.message.push_str("; ");
        fault.message.push_str(line);
    }
    Err(fault)
}

/// The program's process group. Dropped, it is killed.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let pid = child.id().and_then(|id| i32::try_from(id).ok());
        Self(pid.and_then(Pid::from_raw))
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // An error means that nobody is left in it.
            let _ = kill_process_group(group, signal);
        }
    }

    /// Asks it to end, then insists.
    async fn end(&mut self, child: &mut Child) {
        self.signal(Signal::TERM);
        if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
            self.signal(Signal::KILL);
            let _ = child.wait().await;
        }
    }

    fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
