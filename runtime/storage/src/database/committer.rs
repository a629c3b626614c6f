//! The thread that commits batches which no caller has committed.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::group_commit::GroupCommit;

/// The owner of the commit thread; dropping it ends the thread and commits the open batch.
pub(super) struct Committer {
    commits: Arc<GroupCommit>,
    thread: Option<JoinHandle<()>>,
}

impl Committer {
    pub fn start(commits: Arc<GroupCommit>) -> io::Result<Self> {
        let shared = commits.clone();
        let thread = std::thread::Builder::new()
            .name("commit".to_owned())
            .spawn(move || {
                while shared.signal().wait_until_due() {
                    shared.commit();
                    std::thread::sleep(shared.interval());
                }
            })?;
        Ok(Self {
            commits,
            thread: Some(thread),
        })
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.commits.signal().close();
        if let Some(thread) = self.thread.take() {
            // The panic hook has reported a panic of the thread.
            let _ = thread.join();
        }
        self.commits.commit();
    }
}
