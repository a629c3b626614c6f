//! Is an instance that traps or never returns replaced by a healthy one, without an operator? Checkpoint
//! self-healing.

use std::thread;

use harness::eventually;

use crate::saboteur::Saboteur;

/// Two concurrent calls: two spinning instances occupy every permit.
const POLICY: &str = "concurrency = 2\nqueue = 16";

fn busy_instances(saboteur: &Saboteur) -> u64 {
    let instances = saboteur.admin().json("/instances");
    instances["components"]["saboteur"]["busy"]
        .as_u64()
        .expect("a number")
}

#[test]
fn instances_that_trap_are_replaced() {
    let saboteur = Saboteur::start_with(POLICY, &[]);
    for _ in 0..20 {
        saboteur.call("/trap").problem(500, "component-trapped");
        saboteur.call("/greet/me").is(200);
    }
    eventually(|| busy_instances(&saboteur), |busy| *busy == 0);
}

#[test]
fn instances_that_never_yield_are_replaced() {
    let saboteur = Saboteur::start_with(POLICY, &[]);
    for _ in 0..2 {
        thread::scope(|scope| {
            let spinning: Vec<_> = (0..2)
                .map(|_| scope.spawn(|| saboteur.call("/spin")))
                .collect();
            saboteur.call("/livez").is(200);
            for spinning in spinning {
                spinning
                    .join()
                    .expect("a response")
                    .problem(504, "deadline-exceeded");
            }
        });
        // Every permit is free again, and every instance is healthy.
        for _ in 0..4 {
            saboteur.call("/greet/me").is(200);
        }
        eventually(|| busy_instances(&saboteur), |busy| *busy == 0);
    }
}

#[test]
fn an_instance_that_hangs_after_its_answer_is_replaced() {
    let saboteur = Saboteur::start_with(POLICY, &[]);
    saboteur.call("/linger?ms=60000").is(200);
    assert_eq!(busy_instances(&saboteur), 1);
    eventually(|| busy_instances(&saboteur), |busy| *busy == 0);
    saboteur.call("/greet/me").is(200);
}
