//! The module that an injected trap, endless loop or memory hoard runs.

use wasm_encoder::{
    BlockType, CodeSection, ExportKind, ExportSection, Function, FunctionSection, MemorySection,
    MemoryType, Module, TypeSection,
};

/// The memory that one step of a hoard adds, in pages of 64 KiB.
const HOARD_STEP: i32 = 16;

/// What `memory.grow` returns when there is no more memory.
const REFUSED: i32 = -1;

/// A module with the functions `trap`, `spin` and `hoard`, in the binary format. The last one traps when no memory is left.
pub(super) fn encode() -> Vec<u8> {
    let mut trap = Function::new([]);
    trap.instructions().unreachable().end();

    let mut spin = Function::new([]);
    spin.instructions()
        .loop_(BlockType::Empty)
        .br(0)
        .end()
        .end();

    let mut hoard = Function::new([]);
    hoard
        .instructions()
        .loop_(BlockType::Empty)
        .i32_const(HOARD_STEP)
        .memory_grow(0)
        .i32_const(REFUSED)
        .i32_ne()
        .br_if(0)
        .end()
        .unreachable()
        .end();

    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut functions = FunctionSection::new();
    let mut exports = ExportSection::new();
    let mut code = CodeSection::new();
    for (index, (name, function)) in [("trap", trap), ("spin", spin), ("hoard", hoard)]
        .into_iter()
        .enumerate()
    {
        functions.function(0);
        exports.export(name, ExportKind::Func, index as u32);
        code.function(&function);
    }

    let mut module = Module::new();
    module
        .section(&types)
        .section(&functions)
        .section(&memories)
        .section(&exports)
        .section(&code);
    module.finish()
}
