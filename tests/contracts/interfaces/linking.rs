//! Do the versions of an interface link as semantic versions say? The caller is a component that is made of its world; the
//! linker is the host's.

use wasmtime::component::{Component, Linker, Val};
use wasmtime::{Config, Engine};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

#[test]
fn a_caller_of_1_0_links_with_a_callee_of_1_1() {
    links("1.0.0", "1.1.0").expect("a later version of one major serves older callers");
}

#[test]
fn a_caller_does_not_link_with_another_major() {
    for (caller, callee) in [("1.0.0", "2.0.0"), ("2.0.0", "1.1.0")] {
        let error = links(caller, callee).expect_err("another major is another interface");
        let error = format!("{error:#}");
        assert!(error.contains("socar:car/holds@"), "{error}");
    }
}

/// Links a caller of `socar:car/holds` in one version with a callee in another.
fn links(caller: &str, callee: &str) -> wasmtime::Result<()> {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    let engine = Engine::new(&config)?;
    let component = Component::new(&engine, caller_of(caller))?;
    let mut linker = Linker::<()>::new(&engine);
    let mut holds = linker.instance(&format!("socar:car/holds@{callee}"))?;
    for function in ["hold", "release"] {
        holds.func_new_concurrent(function, |_, _, _, results| {
            Box::pin(async move {
                results.fill(Val::Bool(false));
                Ok(())
            })
        })?;
    }
    linker.instantiate_pre(&component)?;
    Ok(())
}

/// A component that imports `socar:car/holds` in this version, and calls each of its functions.
fn caller_of(version: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    for (path, text) in super::published() {
        let text = text.replace(
            "package socar:car@1.0.0",
            &format!("package socar:car@{version}"),
        );
        super::push(&mut resolve, &path, &text);
    }
    let world =
        format!("package check:caller;\nworld caller {{ import socar:car/holds@{version}; }}");
    let package = resolve.push_str("caller.wit", &world).expect("a world");
    let world = resolve.packages[package].worlds["caller"];
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("a module takes the metadata of its world");
    let mut encoder = ComponentEncoder::default()
        .module(&module)
        .expect("a module of the world");
    encoder.encode().expect("a component of the world")
}
