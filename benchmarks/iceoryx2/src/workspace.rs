//! Where iceoryx2 keeps the files of one run, and the two processes of it: all names carry the first one's process id,
//! and whatever was left behind is removed at the end, also by the second process when the first was killed.

use iceoryx2::prelude::*;
use std::error::Error;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

pub struct Workspace {
    owner: u32,
    removes: bool,
}

impl Workspace {
    pub fn of(owner: u32) -> Self {
        let removes = owner == std::process::id();
        Workspace { owner, removes }
    }

    fn prefix(&self) -> String {
        format!("tensorpool_bench_{}_", self.owner)
    }
    fn directory(&self) -> String {
        format!("/dev/shm/{}iceoryx2", self.prefix())
    }

    pub fn config(&self) -> Result<Config, Box<dyn Error>> {
        let mut config = Config::default();
        config.global.prefix = FileName::new(self.prefix().as_bytes())?;
        config
            .global
            .set_root_path(&Path::new(self.directory().as_bytes())?);
        Ok(config)
    }

    /// The first process is gone: this one removes what it left.
    pub fn inherit(&mut self) {
        self.removes = true;
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if !self.removes {
            return;
        }
        let _ = std::fs::remove_dir_all(self.directory());
        for entry in std::fs::read_dir("/dev/shm")
            .into_iter()
            .flatten()
            .flatten()
        {
            if entry
                .file_name()
                .to_string_lossy()
                .starts_with(&self.prefix())
            {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

/// The second process. It ends when this is dropped, or when the first process ends, in whatever way.
pub struct Peer(Child);

impl Peer {
    pub fn start(arguments: &[String]) -> Result<Self, Box<dyn Error>> {
        Ok(Peer(
            Command::new(std::env::current_exe()?)
                .args(arguments)
                .stdin(Stdio::piped())
                .process_group(0) // a signal for the first process' group leaves this one to clean up
                .spawn()?,
        ))
    }
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Standard input as the second process sees it: open for as long as it is needed.
pub struct Lifeline {
    idle_polls: u32,
    owner: u32,
}

impl Lifeline {
    pub fn of(owner: u32) -> Self {
        unsafe { libc::fcntl(0, libc::F_SETFL, libc::O_NONBLOCK) };
        Lifeline {
            idle_polls: 0,
            owner,
        }
    }
    /// To be asked after each poll that found nothing; looks only once in a while.
    pub fn is_cut(&mut self) -> bool {
        self.idle_polls = self.idle_polls.wrapping_add(1);
        self.idle_polls.is_multiple_of(1 << 16) && matches!(std::io::stdin().read(&mut [0]), Ok(0))
    }
    pub fn owner_is_gone(&self) -> bool {
        unsafe { libc::getppid() as u32 != self.owner }
    }
}

/// Keeps this thread on one core, where the machine has it.
pub fn pin_to_core(core: usize) {
    unsafe {
        let mut cores: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut cores);
        libc::sched_setaffinity(0, std::mem::size_of_val(&cores), &cores);
    }
}
