"""Old names of modules and of what is in them, kept for a version.

Importing an old name gives the new one and a :class:`DeprecationWarning` that says
where it is. Whoever moves a module adds a line to :data:`MODULES`; whoever renames a
public name, or moves it out of its module, adds one to :data:`NAMES`.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ['MODULES', 'NAMES', 'keep_old_names', 'renamed']

MODULES = {
    'mmanon.apis': 'mmanon.anonymizer',
    'mmanon.apis.anonymize_command': 'mmanon.cli.anonymize',
    'mmanon.apis.anonymizer_inferencer': 'mmanon.anonymizer.inferencer',
    'mmanon.apis.app': 'mmanon.app',
    'mmanon.apis.app.kept_files': 'mmanon.app.kept_files',
    'mmanon.apis.app.methods': 'mmanon.app.methods',
    'mmanon.apis.app.page': 'mmanon.app.page',
    'mmanon.apis.app.previews': 'mmanon.app.previews',
    'mmanon.apis.app.recognition': 'mmanon.app.recognition',
    'mmanon.apis.app.server': 'mmanon.app.server',
    'mmanon.apis.app_command': 'mmanon.cli.app',
    'mmanon.apis.audit': 'mmanon.anonymizer.leak_audit',
    'mmanon.apis.audit_command': 'mmanon.cli.audit',
    'mmanon.apis.face_drawers': 'mmanon.anonymizer.backends.base',
    'mmanon.apis.face_finding': 'mmanon.anonymizer.face_finding',
    'mmanon.apis.face_linking': 'mmanon.tracking.online_tracker',
    'mmanon.apis.face_search': 'mmanon.anonymizer.face_search',
    'mmanon.apis.face_tracks': 'mmanon.anonymizer.mask_planner',
    'mmanon.apis.file_report': 'mmanon.anonymizer.report',
    'mmanon.apis.frame_drawing': 'mmanon.anonymizer.frame_compositor',
    'mmanon.apis.frame_parts': 'mmanon.anonymizer.frame_parts',
    'mmanon.apis.image_files': 'mmanon.anonymizer.io.image_files',
    'mmanon.apis.known_people': 'mmanon.anonymizer.known_people',
    'mmanon.apis.messages': 'mmanon.utils.log',
    'mmanon.apis.modifiers': 'mmanon.anonymizer.backends.torch_modifier',
    'mmanon.apis.onnx_modifier': 'mmanon.anonymizer.backends.onnx_modifier',
    'mmanon.apis.orientation': 'mmanon.utils.orientation',
    'mmanon.apis.overlap': 'mmanon.utils.threads',
    'mmanon.apis.ray_command': 'mmanon.cli.anonymize_on_ray',
    'mmanon.apis.redrawing': 'mmanon.anonymizer.compositor',
    'mmanon.apis.sources': 'mmanon.anonymizer.io.sources',
    'mmanon.apis.video_reader': 'mmanon.anonymizer.io.video_reader',
    'mmanon.apis.video_writer': 'mmanon.anonymizer.io.video_writer',
    'mmanon.apis.whole_files': 'mmanon.utils.atomic_write',
    'mmanon.datasets.ava_format': 'mmanon.datasets.formats.ava_writer',
    'mmanon.datasets.coco_format': 'mmanon.datasets.formats.coco',
    'mmanon.datasets.face_pairs': 'mmanon.evaluation.functional.face_pairs',
    'mmanon.datasets.face_table': 'mmanon.structures.face_table',
    'mmanon.datasets.face_tracks': 'mmanon.tracking.offline_tracks',
    'mmanon.datasets.faces': 'mmanon.structures.faces',
    'mmanon.datasets.proposals': 'mmanon.datasets.formats.proposals',
    'mmanon.datasets.video_frames': 'mmanon.utils.video',
    'mmanon.engine.command_line': 'mmanon.cli.run_config',
    'mmanon.engine.optim_wrappers': 'mmanon.engine.game.optimizers',
    'mmanon.engine.run_switches': 'mmanon.engine.game.run_switches',
    'mmanon.engine.sample_seeds': 'mmanon.engine.seeding',
    'mmanon.engine.sweep': 'mmanon.tradeoff.sweep',
    'mmanon.engine.sweep.checks': 'mmanon.tradeoff.sweep.checks',
    'mmanon.engine.sweep.plan': 'mmanon.tradeoff.sweep.plan',
    'mmanon.engine.sweep.results': 'mmanon.tradeoff.sweep.results',
    'mmanon.engine.sweep.stages': 'mmanon.tradeoff.sweep.stages',
    'mmanon.engine.sweep.workers': 'mmanon.tradeoff.sweep.workers',
    'mmanon.evaluation.action_annotations': 'mmanon.datasets.formats.ava_reader',
    'mmanon.evaluation.embeddings': 'mmanon.evaluation.functional.embeddings',
    'mmanon.evaluation.face_identification': (
        'mmanon.evaluation.functional.face_identification'
    ),
    'mmanon.evaluation.face_verification': (
        'mmanon.evaluation.functional.face_verification'
    ),
    'mmanon.evaluation.frame_map': 'mmanon.evaluation.functional.frame_map',
    'mmanon.evaluation.image_quality': 'mmanon.evaluation.functional.image_quality',
    'mmanon.evaluation.tradeoff': 'mmanon.tradeoff',
    'mmanon.evaluation.tradeoff.plot': 'mmanon.tradeoff.plot',
    'mmanon.evaluation.tradeoff.rows': 'mmanon.tradeoff.rows',
    'mmanon.evaluation.tradeoff.table': 'mmanon.tradeoff.table',
    'mmanon.evaluation.video_map': 'mmanon.evaluation.functional.video_map',
    'mmanon.models.crop_geometry': 'mmanon.structures.crop_geometry',
    'mmanon.models.face_crops': 'mmanon.models.layers.face_crops',
    'mmanon.models.face_detectors': 'mmanon.face_detectors',
    'mmanon.models.face_detectors.base': 'mmanon.face_detectors.base',
    'mmanon.models.face_detectors.combined': 'mmanon.face_detectors.combined',
    'mmanon.models.face_detectors.mtcnn': 'mmanon.face_detectors.mtcnn',
    'mmanon.models.face_detectors.mtcnn_networks': (
        'mmanon.face_detectors.mtcnn_networks'
    ),
    'mmanon.models.face_detectors.yunet': 'mmanon.face_detectors.yunet',
    'mmanon.models.modifiers.layers': 'mmanon.models.layers.blocks',
    'mmanon.visualization': 'mmanon.utils',
    'mmanon.visualization.inline_images': 'mmanon.utils.inline_images',
    'mmanon.visualization.report': 'mmanon.tradeoff.report',
    'mmanon.visualization.report.page': 'mmanon.tradeoff.report.page',
    'mmanon.visualization.report.pictures': 'mmanon.tradeoff.report.pictures',
    'mmanon.visualization.report.sweep_folder': 'mmanon.tradeoff.report.sweep_folder',
    'mmanon.visualization.web_page': 'mmanon.utils.html',
}
"""Where each old module is now."""

NAMES: dict[tuple[str, str], str] = {
    ('mmanon.apis', 'Outcome'): 'mmanon.anonymizer.result:AnonymizationResult',
    ('mmanon.apis.anonymizer_inferencer', 'Outcome'): (
        'mmanon.anonymizer.result:AnonymizationResult'
    ),
    ('mmanon.apis.face_drawers', 'FaceDrawer'): (
        'mmanon.anonymizer.backends.base:ModifierBackend'
    ),
    ('mmanon.apis.face_drawers', 'ModifierDrawer'): (
        'mmanon.anonymizer.backends.torch_modifier:TorchModifier'
    ),
    ('mmanon.apis.face_drawers', 'build_drawer'): (
        'mmanon.anonymizer.backends.base:build_backend'
    ),
    ('mmanon.apis.face_finding', 'DETECTORS'): 'mmanon.anonymizer.options:DETECTORS',
    ('mmanon.apis.face_finding', 'GivenFaces'): (
        'mmanon.anonymizer.given_faces:GivenFaces'
    ),
    ('mmanon.apis.face_finding', 'Watch'): 'mmanon.anonymizer.keyframes:KeyframePolicy',
    ('mmanon.apis.face_tracks', 'Cover'): 'mmanon.anonymizer.mask_planner:FaceMask',
    ('mmanon.apis.face_tracks', 'CoverPlanner'): (
        'mmanon.anonymizer.mask_planner:MaskPlanner'
    ),
    ('mmanon.apis.face_tracks', 'Covered'): 'mmanon.anonymizer.mask_planner:FramePlan',
    ('mmanon.apis.face_tracks', 'SeenFrame'): (
        'mmanon.anonymizer.mask_planner:SearchedFrame'
    ),
    ('mmanon.apis.frame_drawing', 'draw_frame'): (
        'mmanon.anonymizer.frame_compositor:composite_frame'
    ),
    ('mmanon.apis.redrawing', 'FaceRedrawer'): (
        'mmanon.anonymizer.compositor:FaceCompositor'
    ),
    ('mmanon.apis.redrawing', 'cover_whole'): 'mmanon.anonymizer.compositor:mask_whole',
    ('mmanon.apis.onnx_modifier', 'OnnxDrawer'): (
        'mmanon.anonymizer.backends.onnx_modifier:OnnxModifier'
    ),
    ('mmanon.apis.modifiers', 'CropGeometry'): (
        'mmanon.structures.crop_geometry:CropGeometry'
    ),
    ('mmanon.datasets.transforms.load_faces', 'complete_pipeline'): (
        'mmanon.datasets.transforms.pipelines:complete_pipeline'
    ),
    ('mmanon.datasets.transforms.load_faces', 'insert_load_faces'): (
        'mmanon.datasets.transforms.pipelines:insert_load_faces'
    ),
    ('mmanon.evaluation.tradeoff.rows', 'write_beside'): (
        'mmanon.utils.atomic_write:write_whole'
    ),
    ('mmanon.apis.audit', 'threshold_at_far'): (
        'mmanon.anonymizer.recognizer:threshold_at_far'
    ),
    ('mmanon.apis.audit', 'upright_frames'): (
        'mmanon.anonymizer.io.frames:upright_frames'
    ),
    ('mmanon.apis.known_people', 'build_recognizer'): (
        'mmanon.anonymizer.recognizer:build_recognizer'
    ),
    ('mmanon.apis.known_people', 'embed_face'): (
        'mmanon.anonymizer.recognizer:embed_face'
    ),
    ('mmanon.evaluation.frame_map', 'box_ious'): 'mmanon.structures.boxes:box_ious',
    ('mmanon.evaluation.video_map', 'Tube'): 'mmanon.structures.tubes:Tube',
    ('mmanon.evaluation.video_map', 'cut_tube'): 'mmanon.structures.tubes:cut_tube',
    ('mmanon.evaluation.video_map', 'fill_tube'): 'mmanon.structures.tubes:fill_tube',
    ('mmanon.evaluation.video_map', 'tube_iou'): 'mmanon.structures.tubes:tube_iou',
    ('mmanon.engine.checkpoints', 'extract_part'): (
        'mmanon.models.weight_files:extract_part'
    ),
    ('mmanon.engine.checkpoints', 'load_weights'): (
        'mmanon.models.weight_files:load_weights'
    ),
    ('mmanon.engine.checkpoints', 'save_weights'): (
        'mmanon.models.weight_files:save_weights'
    ),
    ('mmanon.models.detectors', 'PhaseSchedule'): (
        'mmanon.engine.game.phases:PhaseSchedule'
    ),
    ('mmanon.models.detectors.phase', 'PhaseSchedule'): (
        'mmanon.engine.game.phases:PhaseSchedule'
    ),
}
"""Where each old name of an old or present module is now, as ``'module:name'``, where
it is not the same name in the module of :data:`MODULES`. A present module asks by
``def __getattr__(name): return renamed(__name__, name)``."""


def keep_old_names() -> None:
    """Let old modules be imported; calling it again changes nothing."""
    if not any(isinstance(finder, _OldModules) for finder in sys.meta_path):
        # Last: asked only for what is not there.
        sys.meta_path.append(_OldModules())


def renamed(module: str, name: str) -> object:
    """What a name of a module stands for now; for a module's own ``__getattr__``.

    Args:
        module (str): The module that was asked, by its present or its old name.
        name (str): What it was asked for.

    Raises:
        AttributeError: When there never was such a name.
    """
    there = NAMES.get((module, name))
    if there is None and module in MODULES:
        there = f'{MODULES[module]}:{name}'
    if there is None or name.startswith('__'):
        raise AttributeError(f'module {module!r} has no attribute {name!r}')
    new_module, new_name = there.split(':')
    try:
        value = getattr(import_module(new_module), new_name)
    except AttributeError:
        raise AttributeError(f'module {module!r} has no attribute {name!r}') from None
    if (module, name) in NAMES:
        warnings.warn(
            f'{module}.{name} is {new_module}.{new_name} now; the old name goes with '
            'the next version',
            DeprecationWarning,
            stacklevel=3,
        )
    return value


class _OldModules(MetaPathFinder, Loader):
    """Finds modules by the names that they had."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname not in MODULES:
            return None
        # A package, so that the modules that were in it are looked for here as well.
        return ModuleSpec(fullname, self, origin=MODULES[fullname], is_package=True)

    def exec_module(self, module: ModuleType) -> None:
        old, new = module.__name__, MODULES[module.__name__]
        warnings.warn(
            f'{old} is {new} now; the old name goes with the next version',
            DeprecationWarning,
            stacklevel=2,
        )
        names = getattr(import_module(new), '__all__', None)
        if names is not None:
            moved = [name for module_name, name in NAMES if module_name == old]
            vars(module)['__all__'] = [*names, *moved]
        vars(module)['__getattr__'] = lambda name: renamed(old, name)
