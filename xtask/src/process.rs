//! A child process that does not outlive us, however we end.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;
use std::{io, thread};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::wait;

/// A running child; dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
}

/// A command on its way to the thread that spawns.
struct Order {
    command: Command,
    reply: Sender<io::Result<Child>>,
}

// === impl Process ===

impl Process {
    /// Starts `command` in a process group of its own, so that Ctrl-C reaches only us and we stop
    /// our children in order.
    ///
    /// # Errors
    ///
    /// Fails if the program cannot be started.
    pub fn spawn(name: impl Into<String>, mut command: Command) -> Result<Self> {
        let name = name.into();
        die_with_parent(&mut command);
        let child = spawn_from_lasting_thread(command).with_context(|| format!("start {name}"))?;
        Ok(Self { name, child })
    }

    /// Its name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its standard error, once, if the command made it a pipe.
    pub fn stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Its standard output, once, if the command made it a pipe.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Its standard input, once, if the command made it a pipe.
    pub fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Its exit status, if it has ended.
    ///
    /// # Errors
    ///
    /// Fails if the system does not say.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("ask after {}", self.name))
    }

    /// Waits until it ends by itself, and kills it when it does not.
    ///
    /// # Errors
    ///
    /// Fails if it had to be killed.
    pub fn wait(&mut self, patience: Duration) -> Result<ExitStatus> {
        let what = format!("{} to end", self.name);
        let ended = wait::until(&what, patience, || Ok(self.child.try_wait()?));
        if ended.is_err() {
            self.kill();
        }
        ended
    }

    /// Sends SIGTERM.
    ///
    /// # Errors
    ///
    /// Fails if the process cannot be signalled.
    pub fn ask_to_stop(&self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)
            .with_context(|| format!("stop {}", self.name))
    }

    /// Sends SIGTERM, waits `patience`, then kills.
    ///
    /// # Errors
    ///
    /// Fails if the process cannot be signalled or had to be killed.
    pub fn stop(&mut self, patience: Duration) -> Result<ExitStatus> {
        if let Some(status) = self.exited()? {
            return Ok(status);
        }
        self.ask_to_stop()?;
        self.wait(patience)
    }

    fn kill(&mut self) {
        // Both fail only when the child has ended and been reaped already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads an output line by line, on a thread of its own, to its end or until the receiver is dropped.
pub fn lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Lets the kernel kill the child when its parent is gone, be it by SIGKILL.
fn die_with_parent(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
    #[cfg(target_os = "linux")]
    // SAFETY: one system call, which is async-signal-safe and allocates nothing.
    unsafe {
        command.pre_exec(|| {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            Ok(())
        });
    }
}

/// The kernel's "parent" is the *thread* that spawned. Threads of tests end before their process
/// does, so every child is spawned from one thread that lasts.
fn spawn_from_lasting_thread(command: Command) -> io::Result<Child> {
    static ORDERS: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();
    let orders = ORDERS.get_or_init(|| {
        let (sender, receiver) = channel();
        thread::spawn(move || serve(&receiver));
        Mutex::new(sender)
    });
    let (reply, answer) = channel();
    let gone = |_| io::Error::other("the spawning thread is gone");
    let order = Order { command, reply };
    orders
        .lock()
        .map_err(|_| io::ErrorKind::Other)?
        .send(order)
        .map_err(|_| io::ErrorKind::Other)?;
    answer.recv().map_err(gone)?
}

fn serve(orders: &Receiver<Order>) {
    for mut order in orders {
        // Whoever ordered may have given up waiting.
        let _ = order.reply.send(order.command.spawn());
    }
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    fn sleeper() -> Command {
        let mut command = Command::new("sleep");
        command.arg("600");
        command
    }

    #[test]
    fn a_child_outlives_the_thread_that_asked_for_it() {
        let mut process =
            thread::spawn(|| Process::spawn("sleep", sleeper()).unwrap()).join().unwrap();
        assert_eq!(process.exited().unwrap(), None);
        process.stop(Duration::from_secs(5)).unwrap();
    }

    #[test]
    fn a_dropped_child_is_gone() {
        let process = Process::spawn("sleep", sleeper()).unwrap();
        let pid = Pid::from_child(&process.child);
        drop(process);
        assert!(rustix::process::test_kill_process(pid).is_err());
    }

    #[test]
    fn an_output_is_read_line_by_line_to_its_end() {
        let mut command = Command::new("printf");
        command.arg("one\ntwo").stdout(Stdio::piped());
        let mut process = Process::spawn("printf", command).unwrap();
        let said = lines(process.stdout().unwrap());
        assert_eq!(said.iter().collect::<Vec<_>>(), ["one", "two"]);
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = Process::spawn("the moon", Command::new("/nowhere/moon")).unwrap_err();
        assert_eq!(error.to_string(), "start the moon");
    }
}
