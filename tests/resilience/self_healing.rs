//! An instance that trapped or never came back is replaced by a healthy one, and nobody has to do anything for it.
//! Checkpoint self-healing.

use std::thread;

use harness::eventually;

use crate::saboteur::Saboteur;

/// Two calls at a time: two spinning instances are all there are.
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
        // Every place is free again, and whoever takes it is well.
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
