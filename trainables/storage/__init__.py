"""Keeps runs, teachers and cached outputs by key, in a folder or an object store.

:class:`RunStore` files a run under its trial's key, :class:`BlobStorage` is what every storage can do,
:func:`open_storage` opens one by path or URL. A new kind of storage is a class like
:class:`FolderStorage` and a line in ``opening.py``.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainables.storage.blobs import BlobStorage as BlobStorage
    from trainables.storage.blobs import StorageError as StorageError
    from trainables.storage.folder import FolderStorage as FolderStorage
    from trainables.storage.opening import open_storage as open_storage
    from trainables.storage.run_store import RunFolder as RunFolder
    from trainables.storage.run_store import RunStore as RunStore
else:
    from trainables.lazy import hand_on

    __getattr__, __dir__, __all__ = hand_on(__name__)
