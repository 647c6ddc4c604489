from .load_faces import LoadFaces
from .pipelines import complete_pipeline, insert_load_faces

__all__ = ['LoadFaces', 'complete_pipeline', 'insert_load_faces']
