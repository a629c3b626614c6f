//! Calls of functions that the host does not serve, from a component that imports one interface.

use wasmtime::component::{Component, Linker, TypedFunc};
use wasmtime::{Engine, Store};

use super::define;

/// A component that imports `interface`, with a function `call` of this result, and returns the text at offset 24 of its
/// memory after a call whose result is written to offset 16.
fn component(engine: &Engine, interface: &str, types: &str, result: &str) -> Component {
    let text = format!(
        r#"(component
          (import "{interface}" (instance $imported
            {types}
            (export "thing" (type (sub resource)))
            (export "call" (func {result}))))
          (core module $memory
            (memory (export "memory") 1)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024))
          (core instance $memory (instantiate $memory))
          (alias core export $memory "memory" (core memory $bytes))
          (alias core export $memory "realloc" (core func $realloc))
          (alias export $imported "call" (func $imported-call))
          (core func $call (canon lower (func $imported-call) (memory $bytes) (realloc $realloc)))
          (core module $code
            (import "host" "call" (func $call (param i32)))
            (func (export "run") (result i32) (call $call (i32.const 16)) i32.const 24))
          (core instance $code (instantiate $code
            (with "host" (instance (export "call" (func $call))))))
          (alias core export $code "run" (core func $run))
          (func (export "run") (result string)
            (canon lift (core func $run) (memory $bytes) (realloc $realloc))))"#
    );
    Component::new(engine, wat::parse_str(text).unwrap()).unwrap()
}

/// The text that the component read from the error, or the trap. `None` when every import is served.
fn run(interface: &str, types: &str, result: &str) -> Option<Result<String, String>> {
    let engine = Engine::default();
    let component = component(&engine, interface, types, result);
    let mut linker = Linker::<()>::new(&engine);
    if !define(&mut linker, &component, &"guest".into()).unwrap() {
        return None;
    }
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &component).unwrap();
    let run: TypedFunc<(), (String,)> = instance.get_typed_func(&mut store, "run").unwrap();
    let text = run.call(&mut store, ()).map(|(text,)| text);
    Some(text.map_err(|error| error.root_cause().to_string()))
}

#[test]
fn a_call_of_an_unserved_function_returns_the_error_of_its_interface() {
    let variant = r#"(type $e (variant (case "no-model") (case "runtime-error" string)))
        (export "error" (type $error (eq $e)))"#;
    let result = "(result (result u32 (error $error)))";
    assert_eq!(
        run("fermyon:spin/llm@2.0.0", variant, result),
        Some(Ok(
            "socar does not serve fermyon:spin/llm@2.0.0#call".to_owned()
        ))
    );
}

#[test]
fn a_function_without_an_error_ends_the_call() {
    assert_eq!(
        run(
            "spin:clock/now@1.0.0",
            "",
            "(result (result u32 (error u32)))"
        ),
        Some(Err(
            "socar does not serve spin:clock/now@1.0.0#call, and the function has no error"
                .to_owned()
        ))
    );
}

#[test]
fn a_served_interface_and_another_component_are_left_to_their_providers() {
    let result = "(result (result string (error string)))";
    for interface in [
        "wasi:io/poll@0.2.9",
        "spin:sqlite/sqlite@3.0.0",
        "socar:car/holds@1.0.0",
    ] {
        assert_eq!(run(interface, "", result), None, "{interface}");
    }
}
