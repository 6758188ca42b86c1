//! What the store says of a folder that is not as it left it.

use std::fs;

use super::*;

#[tokio::test]
async fn a_second_process_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let _first = opened(folder.path());
    let second = open(folder.path(), 0, Arc::default());
    assert!(matches!(second, Err(Error::Locked)));
}

#[tokio::test]
async fn a_store_of_another_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    {
        let database = fjall::Database::builder(folder.path()).open().unwrap();
        let about = database
            .keyspace("about", fjall::KeyspaceCreateOptions::default)
            .unwrap();
        about.insert("format", 6_u32.to_be_bytes()).unwrap();
    }
    let error = open(folder.path(), 0, Arc::default()).err().unwrap();
    assert_eq!(
        error.to_string(),
        "the data directory has format 6, this version reads format 5; use the version that wrote it"
    );
}

#[tokio::test]
async fn a_store_of_the_version_before_is_read_on_and_then_left_alone_by_it() {
    for older in [2, 3, 4] {
        let folder = tempfile::tempdir().unwrap();
        {
            let (intake, outlet, _letters) = opened(folder.path());
            intake.enqueue(vec![entry("a")]).await.unwrap();
            let tables = outlet.store.tables().unwrap();
            tables.set_format(older).unwrap();
        }
        let (_intake, outlet, _letters) = reopened(folder.path()).await;
        assert_eq!(outlet.depth(), 1);
        let format = outlet.store.tables().unwrap().format().unwrap();
        assert_eq!(format, Some(5));
    }
}

#[tokio::test]
async fn a_file_in_the_place_of_the_folder_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data");
    fs::write(&file, "not a folder").unwrap();
    let error = open(&file, 0, Arc::default()).err().unwrap();
    assert!(matches!(error, Error::Folder(_)), "{error:?}");
    assert_eq!(fs::read(&file).unwrap(), b"not a folder");
}

#[tokio::test]
async fn damage_in_the_midst_of_a_journal_is_an_error_that_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (intake, _outlet, _letters) = opened(folder.path());
        for id in ["a", "b", "c"] {
            intake.enqueue(vec![entry(id)]).await.unwrap();
        }
    }
    until_closed(folder.path()).await;
    let journal = fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "jnl"))
        .unwrap();
    let mut bytes = fs::read(&journal).unwrap();
    let at = bytes
        .windows(14)
        .position(|window| window == br#""event_id":"b""#)
        .unwrap();
    bytes[at] = b'X';
    fs::write(&journal, &bytes).unwrap();

    let error = open(folder.path(), 0, Arc::default()).err().unwrap();
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
    let said = error.to_string();
    assert!(said.contains(".jnl does not read back from byte"), "{said}");
    assert_eq!(fs::read(&journal).unwrap(), bytes);

    bytes[at] = b'"';
    fs::write(&journal, &bytes).unwrap();
    let (_intake, outlet, _letters) = opened(folder.path());
    assert_eq!(outlet.depth(), 3);
}

/// The lock is let go of when the last thread that has the files open has ended.
async fn until_closed(folder: &Path) {
    drop(reopened(folder).await);
    let lock = fs::File::open(folder.join("lock")).unwrap();
    while lock.try_lock().is_err() {
        tokio::task::yield_now().await;
    }
}
