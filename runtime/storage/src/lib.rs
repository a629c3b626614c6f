//! The two storage backends of the platform: an embedded SQLite file and a Redis server.
//!
//! [`database`] commits writes in groups and reports when a write is durable. [`redis_client`] reaches one Redis server
//! and reconnects by itself. [`wal`] keeps the write-ahead log of a SQLite file synced and short. [`temporary_files`] names
//! the directory for what SQLite needs for a moment; [`statement_memory`] bounds the memory of statements. [`work`] counts statements and commands. The callers decide what they
//! store, and in which form.

pub mod database;
pub mod file_identity;
pub mod redis_client;
pub mod statement_memory;
pub mod temporary_files;
pub mod wal;
pub mod work;
