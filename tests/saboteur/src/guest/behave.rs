//! The misbehaviours: each is one thing a sick guest can do to its host.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::Outcome;
use super::query::Query;

/// `?ms=`: suspended, so that the host must count wall-clock time.
pub async fn sleep(query: &Query) -> Outcome {
    let ms = query.number("ms", 1000)?;
    eprintln!("sleeping {ms} ms");
    spin_sdk::time::sleep(Duration::from_millis(ms)).await;
    Ok(format!("slept {ms} ms"))
}

pub fn trap() -> Outcome {
    eprintln!("about to trap, as asked");
    std::arch::wasm32::unreachable()
}

pub fn exit() -> Outcome {
    std::process::exit(3)
}

/// Burns the processor without ever calling the host: only an epoch can end it.
pub fn spin() -> Outcome {
    let mut turns = 0_u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1));
    }
}

/// `?mib=`: takes that much memory in one piece.
pub fn hoard(query: &Query) -> Outcome {
    let mib = query.number("mib", 1_usize)?;
    let bytes = vec![1_u8; mib << 20];
    Ok(format!(
        "holds {} MiB",
        std::hint::black_box(&bytes).len() >> 20
    ))
}

/// `?kib=`: answers that many kibibytes.
pub fn flood(query: &Query) -> Outcome {
    let kib = query.number("kib", 64_usize)?;
    Ok("x".repeat(kib << 10))
}

/// `?ms=`: answers at once and keeps the processor busy afterwards.
pub fn linger(query: &Query) -> Outcome {
    let ms = query.number("ms", 1000)?;
    spin_sdk::wasip3::spawn(async move {
        let until = Instant::now() + Duration::from_millis(ms);
        while Instant::now() < until {
            spin_sdk::time::sleep(Duration::from_millis(1)).await;
        }
        eprintln!("lingered {ms} ms");
    });
    Ok("lingering".to_owned())
}

/// How many orders this very instance has counted: more than one proves that instances are reused.
pub fn count() -> Outcome {
    thread_local! {
        static COUNT: Cell<u32> = const { Cell::new(0) };
    }
    Ok(COUNT
        .with(|count| {
            count.set(count.get() + 1);
            count.get()
        })
        .to_string())
}
