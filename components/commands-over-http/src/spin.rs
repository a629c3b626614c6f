//! How Spin calls this component: the exported interfaces, each as requests to its context.
#![expect(unsafe_code, reason = "the export macro writes the ABI glue")]

mod approvals;
mod customer_payments;
mod guarded;
mod holds;

/// The interfaces with commands; `wit/worlds.wit` shows the whole world of the component.
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package socar:commands-over-http-component;
            world offers {
                export socar:car/holds@1.0.0;
                export socar:payment/approvals@1.0.0;
                export socar:customer-payments/approvals@1.0.0;
            }
        ",
        with: { "socar:calls/types@1.0.0": kit::spin::calls::types },
        generate_all,
    });
}

struct Component;

bindings::export!(Component with_types_in bindings);
