from .load_faces import LoadFaces, insert_load_faces

__all__ = ['LoadFaces', 'insert_load_faces']
