//! An instance that trapped or never came back is replaced by a healthy one, and nobody has to do anything for it.
//! Checkpoint self-healing.

use std::thread;

use harness::eventually;

use crate::saboteur::Saboteur;

/// Two calls at a time: two wedged instances are all there are.
const NARROW: &str = "concurrency = 2\nqueue = 16";

fn busy(saboteur: &Saboteur) -> u64 {
    let instances = saboteur.admin("/instances");
    instances["components"]["saboteur"]["busy"]
        .as_u64()
        .expect("a number")
}

#[test]
fn instances_that_trap_are_replaced() {
    let saboteur = Saboteur::start_with(NARROW, &[]);
    for _ in 0..20 {
        saboteur.order("/trap").problem(500, "component-trapped");
        saboteur.order("/greet/me").is(200);
    }
    eventually(|| busy(&saboteur), |busy| *busy == 0);
}

#[test]
fn instances_that_never_yield_are_replaced() {
    let saboteur = Saboteur::start_with(NARROW, &[]);
    for _ in 0..2 {
        thread::scope(|scope| {
            let wedged: Vec<_> = (0..2)
                .map(|_| scope.spawn(|| saboteur.order("/spin")))
                .collect();
            saboteur.order("/livez").is(200);
            for wedged in wedged {
                wedged
                    .join()
                    .expect("an answer")
                    .problem(504, "deadline-exceeded");
            }
        });
        // Every place is free again, and whoever takes it is well.
        for _ in 0..4 {
            saboteur.order("/greet/me").is(200);
        }
        eventually(|| busy(&saboteur), |busy| *busy == 0);
    }
}

#[test]
fn an_instance_that_hangs_after_its_answer_is_replaced() {
    let saboteur = Saboteur::start_with(NARROW, &[]);
    saboteur.order("/linger?ms=60000").is(200);
    assert_eq!(busy(&saboteur), 1);
    eventually(|| busy(&saboteur), |busy| *busy == 0);
    saboteur.order("/greet/me").is(200);
}
