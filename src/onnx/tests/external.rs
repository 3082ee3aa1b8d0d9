//! Weights in a file beside the model.

use std::fs;
use std::path::Path;

use super::*;
use crate::onnx::proto::ModelProto;
use prost::Message;

/// external.onnx and its data in a folder of their own, the model changed by `change`, and then read.
fn read(folder: &Path, change: impl FnOnce(&mut ModelProto)) -> Result<Model, String> {
    let mut proto = ModelProto::decode(fs::read(fixture("external.onnx")).unwrap().as_slice()).unwrap();
    change(&mut proto);
    let path = folder.join("external.onnx");
    fs::write(&path, proto.encode_to_vec()).unwrap();
    Model::read(&path).map_err(|error| error.to_string())
}

fn with_data() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixture("external.onnx.data"), folder.path().join("external.onnx.data")).unwrap();
    folder
}

/// Sets an entry of the external data of the first weight.
fn set(key: &'static str, value: &'static str) -> impl FnOnce(&mut ModelProto) {
    move |proto| {
        let weight = &mut proto.graph.as_mut().unwrap().initializer[0];
        let entry = weight.external_data.iter_mut().find(|entry| entry.key() == key).unwrap();
        entry.value = Some(value.to_owned());
    }
}

#[test]
fn is_read_and_written_into_one_file() {
    // The same graph with the weights inside and beside, both written by the onnx package.
    let (inside, beside) = (model("gemm.onnx"), model("external.onnx"));
    assert_eq!(inside.to_bytes().unwrap(), beside.to_bytes().unwrap());
    let steps: Vec<f32> = (0..28).map(|step| (step as f32 - 16.0) / 8.0).collect();
    assert_eq!(beside.tensor("w2").unwrap().f32(), Some(steps.as_slice()));
}

#[test]
fn counts_in_the_digest() {
    let folder = with_data();
    let before = read(folder.path(), |_| ()).unwrap();
    assert_eq!(before.digest(), model("external.onnx").digest());
    let path = folder.path().join("external.onnx.data");
    let mut bytes = fs::read(&path).unwrap();
    bytes[0] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_ne!(read(folder.path(), |_| ()).unwrap().digest(), before.digest());
}

#[test]
fn missing_file() {
    let folder = tempfile::tempdir().unwrap();
    let error = read(folder.path(), |_| ()).unwrap_err();
    assert!(error.contains("tensor \"w1\": external data \"external.onnx.data\" is missing in"), "{error}");
}

#[test]
fn names_that_lead_out_of_the_folder() {
    let outer = with_data();
    let folder = outer.path().join("model");
    fs::create_dir(&folder).unwrap();
    for location in ["../external.onnx.data", "/etc/hostname", "a/../../external.onnx.data"] {
        let error = read(&folder, set("location", location)).unwrap_err();
        assert!(error.contains("leads out of the model's folder"), "{error}");
    }
    std::os::unix::fs::symlink(outer.path().join("external.onnx.data"), folder.join("external.onnx.data")).unwrap();
    let error = read(&folder, |_| ()).unwrap_err();
    assert!(error.contains("is a link out of the model's folder"), "{error}");
}

#[test]
fn a_folder_below_is_within() {
    let folder = with_data();
    fs::create_dir(folder.path().join("data")).unwrap();
    fs::rename(folder.path().join("external.onnx.data"), folder.path().join("data/weights")).unwrap();
    let moved = read(folder.path(), |proto| {
        for weight in &mut proto.graph.as_mut().unwrap().initializer {
            let location = weight.external_data.iter_mut().find(|entry| entry.key() == "location").unwrap();
            location.value = Some("data/weights".to_owned());
        }
    });
    assert_eq!(moved.unwrap().to_bytes().unwrap(), model("gemm.onnx").to_bytes().unwrap());
}

#[test]
fn a_folder_or_nothing_instead_of_a_file() {
    let folder = with_data();
    assert!(read(folder.path(), set("location", ".")).unwrap_err().contains("is no regular file"));
    assert!(read(folder.path(), set("location", "")).unwrap_err().contains("names no file"));
}

#[test]
fn offsets_and_lengths_that_do_not_fit() {
    let folder = with_data();
    // w1 is [12, 7], which are 336 bytes; the file holds 492.
    for (key, value, reason) in [
        ("offset", "400", "holds 492 bytes, but 336 bytes from 400 on are needed"),
        ("offset", "18446744073709551615", "are needed"),
        ("length", "493", "holds 492 bytes, but 493 bytes from 0 on are needed"),
        ("length", "332", "shape [12, 7] needs 336 bytes but holds 332"),
        ("offset", "-4", "has the offset \"-4\", which is no number of bytes"),
        ("length", "many", "has the length \"many\", which is no number of bytes"),
    ] {
        let error = read(folder.path(), set(key, value)).unwrap_err();
        assert!(error.contains(reason), "{key} {value}: {error}");
    }
}

#[test]
fn a_length_that_is_not_given_is_the_rest_of_the_file() {
    let folder = with_data();
    // b2, the last weight, ends with the file: 492 - 16 bytes come before it.
    let last = read(folder.path(), |proto| {
        let weight = proto.graph.as_mut().unwrap().initializer.last_mut().unwrap();
        assert_eq!(weight.external_data.iter().find(|entry| entry.key() == "offset").unwrap().value(), "476");
        weight.external_data.retain(|entry| entry.key() != "length");
    });
    assert_eq!(last.unwrap().tensor("b2").unwrap().f32(), Some(&[-2.0, -1.875, -1.75, -1.625][..]));
}

#[test]
fn a_file_that_still_grows_is_not_damaged() {
    let folder = with_data();
    let data = fs::File::options().write(true).open(folder.path().join("external.onnx.data")).unwrap();
    // w1 is [12, 7] and begins at 0.
    data.set_len(300).unwrap();
    let error = read(folder.path(), |proto| {
        proto.graph.as_mut().unwrap().initializer[0].external_data.retain(|entry| entry.key() != "length");
    });
    let error = error.unwrap_err();
    assert!(error.contains("holds 300 bytes, but 336 bytes from 0 on are needed"), "{error}");
}

#[test]
fn holes_in_a_file_claim_no_memory() {
    // A terabyte that takes no room on the disk, and two thousand tensors that all claim the same gigabyte.
    for (length, tensors) in [(1_i64 << 40, 1), (1 << 30, 2000)] {
        let folder = with_data();
        let data = fs::File::options().write(true).open(folder.path().join("external.onnx.data")).unwrap();
        data.set_len(length as u64).unwrap();
        let error = read(folder.path(), |proto| {
            let weights = &mut proto.graph.as_mut().unwrap().initializer;
            let mut weight = weights[0].clone();
            weight.dims = vec![length / 4];
            weight.external_data.retain(|entry| entry.key() == "location");
            *weights = vec![weight; tensors];
        });
        let (error, claimed) = (error.unwrap_err(), length * tensors as i64);
        assert!(error.contains(&format!("the weights beside it claim {claimed} bytes, and of the memory ")), "{error}");
    }
}

#[test]
fn cannot_be_read_without_a_folder() {
    let bytes = fs::read(fixture("external.onnx")).unwrap();
    let error = Model::from_bytes(&bytes).unwrap_err().to_string();
    assert!(error.contains("read the model from its file"), "{error}");
}
