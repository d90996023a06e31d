"""A folder of documents → their texts, by label."""

from server.documents.datasets import Dataset, datasets
from server.documents.folder import documents_folder, label_folders
from server.documents.reading import Document, DocumentLimits, Reading, Untreated, read_documents

__all__ = [
    "Dataset",
    "Document",
    "DocumentLimits",
    "Reading",
    "Untreated",
    "datasets",
    "documents_folder",
    "label_folders",
    "read_documents",
]
