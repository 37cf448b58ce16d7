//! Children that end with this process, and children that outlive it.
//!
//! Linux sends the parent-death signal when the *thread* that spawned the
//! child ends, so all attached children are spawned by one thread that lives
//! as long as the process.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};

use rustix::process::{Signal, getpid, getppid};

struct Job {
    command: Command,
    reply: Sender<io::Result<Child>>,
}

static SPAWNER: OnceLock<Sender<Job>> = OnceLock::new();

/// Spawns a child that gets the signal `at_death` when this process dies.
pub fn attached(mut command: Command, at_death: Signal) -> io::Result<Child> {
    let parent = getpid();
    // SAFETY: two system calls that are async-signal-safe, no allocation.
    unsafe {
        command.pre_exec(move || {
            die_with_parent(at_death)?;
            // The parent may have died before the signal was asked for.
            match getppid() == Some(parent) {
                true => Ok(()),
                false => Err(io::ErrorKind::NotFound.into()),
            }
        });
    }
    let (reply, answer) = channel();
    let spawner = SPAWNER.get_or_init(start_spawner);
    let gone = || io::Error::other("the spawning thread is gone");
    spawner.send(Job { command, reply }).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}

/// Spawns a child in a session of its own, out of reach of the terminal's signals.
pub fn detached(mut command: Command) -> io::Result<Child> {
    // SAFETY: one system call that is async-signal-safe, no allocation.
    unsafe {
        command.pre_exec(|| {
            rustix::process::setsid()?;
            Ok(())
        });
    }
    command.spawn()
}

fn start_spawner() -> Sender<Job> {
    let (sender, jobs): (_, Receiver<Job>) = channel();
    std::thread::Builder::new()
        .name("pg-spawner".to_owned())
        .spawn(move || {
            for mut job in jobs {
                let child = job.command.spawn();
                // The caller may have given up waiting; the child then ends
                // with the process.
                let _ = job.reply.send(child);
            }
        })
        .expect("a thread can be started");
    sender
}

#[cfg(target_os = "linux")]
fn die_with_parent(signal: Signal) -> io::Result<()> {
    Ok(rustix::process::set_parent_process_death_signal(Some(
        signal,
    ))?)
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_: Signal) -> io::Result<()> {
    Ok(())
}
