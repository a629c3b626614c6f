//! A pod in a container of podman, for machines that have the image of `deploy/pipeline/image`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::pod::{Pod, RunningPod};

/// A container that is removed when this value is dropped: podman itself would leave it running.
#[derive(Debug)]
pub struct Container {
    pod: RunningPod,
    name: String,
}

/// Options for machines without overlay file systems and container networks.
const STORAGE: [&str; 4] = ["--runtime", "runc", "--storage-driver", "vfs"];

impl Pod {
    /// Starts the image as `user`, with a read-only root file system. `None`, with a message, on a machine without podman
    /// or without the image.
    ///
    /// # Panics
    /// When the container does not serve.
    pub fn start_in_container(&self, image: &str, user: &str) -> Option<Container> {
        let exists = podman().args(["image", "exists", image]).status();
        if !exists.is_ok_and(|status| status.success()) {
            eprintln!("skipped: podman has no image {image}, which deploy/pipeline/image builds");
            return None;
        }
        let name = format!("socar-{}-{:08x}", std::process::id(), fastrand::u32(..));
        let mut command = podman();
        command.args([
            "run",
            "--rm",
            "--name",
            &name,
            "--user",
            user,
            "--read-only",
            // Otherwise podman mounts memory at /tmp, which Kubernetes does not.
            "--read-only-tmpfs=false",
        ]);
        command.args([
            "--network",
            "host",
            "--cap-drop",
            "all",
            "--security-opt",
            "no-new-privileges",
        ]);
        command.args([
            "--ulimit",
            "nofile=1024:1024",
            "--ulimit",
            "nproc=1024:1024",
        ]);
        // The image has a folder /app of its own.
        for (path, source) in self.mounts().filter(|(path, _)| *path != "/app") {
            let writable = path == "/state";
            // The cluster gives the volume to the group of the pod.
            let mode = fs::Permissions::from_mode(if writable { 0o777 } else { 0o755 });
            fs::set_permissions(source, mode).unwrap_or_else(|error| panic!("{error}"));
            let access = if writable { "rw" } else { "ro" };
            command
                .arg("--volume")
                .arg(format!("{}:{path}:{access}", source.display()));
        }
        command.arg(image).args(self.container_arguments());
        Some(Container {
            pod: self.run(command),
            name,
        })
    }
}

fn podman() -> Command {
    let mut podman = Command::new("podman");
    podman.args(STORAGE);
    podman
}

// === impl Container ===

impl Container {
    /// The running platform.
    pub fn pod(&self) -> &RunningPod {
        &self.pod
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = podman()
            .args(["rm", "--force", "--time", "0", &self.name])
            .output();
    }
}
