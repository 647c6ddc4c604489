from .action_annotations import *  # noqa: F401,F403
from .face_identification import *  # noqa: F401,F403
from .face_verification import *  # noqa: F401,F403
from .frame_map import *  # noqa: F401,F403
from .image_quality import *  # noqa: F401,F403
from .metrics import *  # noqa: F401,F403
from .video_map import *  # noqa: F401,F403
