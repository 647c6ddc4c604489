"""Draws heads of people who do not exist, from the features of their identity."""

from __future__ import annotations

import numpy as np

from .canvas import Canvas, ellipse, shade, superellipse
from .head_features import HeadFeatures
from .head_pose import Expression, HeadPose

__all__ = ['DrawnHead']

_HAIRLINE = -0.56
_FRECKLES = np.random.default_rng(0).uniform((-0.5, 0.14), (0.5, 0.42), (14, 2))


class DrawnHead(HeadFeatures):
    """A head that can be drawn from its features."""

    depth = 0.75

    @property
    def mouth(self) -> tuple[float, float]:
        """Middle of the mouth in the face plane."""
        return 0.0, self.mouth_height

    def _outline(self) -> np.ndarray:
        """The outline of the head in the face plane, (40, 2)."""
        angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        cos, sin = np.cos(angle), np.sin(angle)
        power = np.where(sin > 0, self.chin_power, 2.0)
        u = np.sign(cos) * np.abs(cos) ** (2 / power) * self.width
        v = np.sign(sin) * np.abs(sin) ** (2 / power)
        u = u * (1 - self.taper * np.clip(v, 0, None) ** 2)
        return np.stack([u, v], axis=1)

    def face_box(self, pose: HeadPose) -> np.ndarray:
        """Return the box (4,) around the face from hairline to chin, in pixels."""
        outline = self._outline()
        visible = pose.place(outline[outline[:, 1] >= _HAIRLINE])
        return np.concatenate([visible.min(axis=0), visible.max(axis=0)])

    def landmarks(self, pose: HeadPose, expression: Expression) -> np.ndarray:
        """Return eyes, nose and corners of the mouth, (5, 2) in pixels, left first."""
        corner_u, corner_v = self._mouth_corner(expression)
        return np.concatenate(
            [
                pose.place([[-self.eye_distance, 0], [self.eye_distance, 0]]),
                pose.place([[0, self.nose_length]], lift=0.12),
                pose.place([[-corner_u, corner_v], [corner_u, corner_v]]),
            ]
        )

    def draw_behind(self, canvas: Canvas, pose: HeadPose) -> None:
        """Draw the hair that falls behind the neck."""
        reach = {'bob': 1.05, 'long': 1.75}.get(self.hair_style)
        if reach:
            middle = (reach - 1) / 2
            shape = superellipse(
                0, middle, self.width + 0.24, reach - middle + 0.05, 2.8
            )
            # The hair is behind the face, so it shifts in the opposite direction.
            shape[:, 0] -= 0.3 * np.sin(pose.yaw)
            flat = HeadPose(pose.x, pose.y, pose.unit, roll=pose.roll, depth=0)
            canvas.polygon(flat.place(shape), shade(self.hair, 0.75))

    def draw(
        self,
        canvas: Canvas,
        pose: HeadPose,
        expression: Expression,
        light_side: float = 0.0,
    ) -> None:
        """Draw ears, face and hair.

        Args:
            canvas: The canvas to draw on.
            pose: Pose of the head.
            expression: Expression of the face.
            light_side: Side of the light: -1 the image's left, 1 its right, 0 front.
        """
        self._draw_ears(canvas, pose)
        canvas.polygon(pose.place(self._outline()), self.skin)
        self._draw_shadow(canvas, pose, light_side)
        self._draw_skin_marks(canvas, pose)
        self._draw_beard(canvas, pose)
        self._draw_nose(canvas, pose)
        self._draw_mouth(canvas, pose, expression)
        for side in (-1, 1):
            self._draw_eye(canvas, pose, expression, side)
        self._draw_hair(canvas, pose)
        self._draw_glasses(canvas, pose)

    def _draw_ears(self, canvas: Canvas, pose: HeadPose) -> None:
        for side in (-1, 1):
            ear = ellipse(side * self.width, 0.12, self.ear_size * 0.7, self.ear_size)
            canvas.polygon(pose.place(ear, lift=-0.1), shade(self.skin, 0.9))

    def _draw_shadow(self, canvas: Canvas, pose: HeadPose, light_side: float) -> None:
        if abs(light_side) < 0.1:
            return
        dark = -np.sign(light_side)
        outline = self._outline()
        rim = outline[outline[:, 0] * dark > 0]
        rim = rim[np.argsort(rim[:, 1])]
        inner = np.stack([dark * 0.3 * np.cos(rim[:, 1] * 1.3), rim[:, 1]], axis=1)
        shadow = np.concatenate([rim, inner[::-1]])
        canvas.polygon(pose.place(shadow), shade(self.skin, 0.6), 0.4 * abs(light_side))

    def _draw_skin_marks(self, canvas: Canvas, pose: HeadPose) -> None:
        if self.blush:
            for side in (-1, 1):
                cheek = ellipse(side * 0.42, 0.35, 0.17, 0.13)
                canvas.polygon(pose.place(cheek), (225, 90, 90), self.blush)
        for u, v in _FRECKLES[: self.freckles]:
            spot = ellipse(u, v, 0.025, 0.025, sides=6)
            canvas.polygon(pose.place(spot), shade(self.skin, 0.7))
        for u, v, radius in self.moles:
            mole = ellipse(u, v, radius, radius, sides=8)
            canvas.polygon(pose.place(mole), shade(self.skin, 0.35))

    def _draw_beard(self, canvas: Canvas, pose: HeadPose) -> None:
        if self.beard == 'none':
            return
        mouth = self.mouth_height
        if self.beard in ('full', 'stubble'):
            outline = self._outline()
            jaw = outline[outline[:, 1] > 0.25]
            jaw = jaw[np.argsort(np.arctan2(jaw[:, 1], -jaw[:, 0]))]
            upper = [
                [jaw[-1, 0] * 0.82, 0.35],
                [jaw[-1, 0] * 0.55, mouth - 0.13],
                [0, mouth - 0.16],
                [jaw[0, 0] * 0.55, mouth - 0.13],
                [jaw[0, 0] * 0.82, 0.35],
            ]
            shape = np.concatenate([jaw, upper])
            alpha = 0.9 if self.beard == 'full' else 0.3
            canvas.polygon(pose.place(shape), self.brows, alpha)
        if self.beard == 'goatee':
            chin = ellipse(0, 0.85, 0.22, 0.17)
            canvas.polygon(pose.place(chin), self.brows, 0.9)
        if self.beard in ('goatee', 'moustache'):
            lip = superellipse(0, mouth - 0.1, self.mouth_width * 1.05, 0.06, 2.5)
            canvas.polygon(pose.place(lip, lift=0.03), self.brows, 0.9)

    def _draw_nose(self, canvas: Canvas, pose: HeadPose) -> None:
        width, tip = self.nose_width, self.nose_length
        bridge = np.array([[-0.035, 0.02], [0.035, 0.02], [width * 0.8, tip]])
        bridge = np.vstack([bridge, [-width * 0.8, tip]])
        canvas.polygon(pose.place(bridge, lift=0.06), shade(self.skin, 1.06), 0.6)
        base = ellipse(0, tip, width, 0.06)
        canvas.polygon(pose.place(base, lift=0.12), shade(self.skin, 0.82))
        ridge = ellipse(0, tip - 0.05, width * 0.6, 0.06)
        canvas.polygon(pose.place(ridge, lift=0.14), shade(self.skin, 1.05))

    def _mouth_corner(self, expression: Expression) -> tuple[float, float]:
        """Return u and v of the corner of the mouth on the image's right."""
        width = self.mouth_width * (1 + 0.15 * expression.smile)
        width *= 1 - 0.3 * expression.mouth_open
        return width, self.mouth_height - 0.07 * expression.smile

    def _draw_mouth(
        self, canvas: Canvas, pose: HeadPose, expression: Expression
    ) -> None:
        corner_u, corner_v = self._mouth_corner(expression)
        share = np.linspace(-1, 1, 11)
        arch = 1 - share**2
        gap = 0.3 * expression.mouth_open
        lip = self.lip_thickness
        middle = corner_v + (self.mouth_height - corner_v) * arch
        u = share * corner_u

        def between(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
            edge = np.stack([u, upper], axis=1)
            back = np.stack([u, lower], axis=1)[::-1]
            return pose.place(np.concatenate([edge, back]), lift=0.03)

        top, bottom = middle - 0.35 * gap * arch, middle + 0.9 * gap * arch
        outer = between(top - lip * arch, bottom + 1.3 * lip * arch + 0.012)
        canvas.polygon(outer, self.lips)
        inside = (70, 20, 24) if gap > 0.03 else shade(self.lips, 0.45)
        canvas.polygon(between(top - 0.008, bottom + 0.008), inside)
        if gap > 0.05:
            canvas.polygon(between(top, top + 0.22 * gap * arch), (244, 240, 232))

    def _draw_eye(
        self, canvas: Canvas, pose: HeadPose, expression: Expression, side: int
    ) -> None:
        u, slant = side * self.eye_distance, side * self.eye_slant
        opening = self.eye_size * self.eye_height * expression.eyes_open
        if opening > 0.03:
            white = ellipse(u, 0, self.eye_size, opening, slant)
            canvas.polygon(pose.place(white), (246, 244, 240))
            radius = min(self.eye_size * 0.55, opening)
            iris = ellipse(u, 0, radius, radius, sides=12)
            canvas.polygon(pose.place(iris), self.iris)
            pupil = ellipse(u, 0, radius * 0.5, radius * 0.5, sides=8)
            canvas.polygon(pose.place(pupil), (12, 10, 10))
        lid_v = -opening
        lid = np.array([[-1, 0.45 * opening], [0, lid_v * 0.2], [1, 0.45 * opening]])
        lid = lid * (self.eye_size, 1) + (u, lid_v)
        lid[:, 1] += (lid[:, 0] - u) * np.tan(slant)
        canvas.stroke(pose.place(lid), 0.045 * pose.unit, shade(self.skin, 0.35))
        height = -self.brow_height - 0.12 * expression.brows_up
        length = 0.19
        rise = side * np.tan(self.brow_angle) * length
        brow = [[u - length, height - rise], [u, height - 0.04]]
        brow.append([u + length, height + rise])
        width = self.brow_thickness * pose.unit
        canvas.stroke(pose.place(brow), width, self.brows)

    def _draw_hair(self, canvas: Canvas, pose: HeadPose) -> None:
        style = self.hair_style
        if style == 'bald':
            shine = ellipse(-0.2, -0.72, 0.2, 0.09, -0.3)
            canvas.polygon(pose.place(shine), (255, 255, 255), 0.25)
            return
        volume = 0.03 if style == 'buzz' else self.hair_volume + 0.04
        angle = np.linspace(0.06 * np.pi, -1.06 * np.pi, 33)
        radius = 1 + volume
        if style == 'curly':
            radius = radius + 0.12 + 0.07 * np.sin(angle * 15)
        crown = np.stack([self.width * np.cos(angle), np.sin(angle)], axis=1)
        crown *= np.broadcast_to(radius, angle.shape)[:, None]
        u = np.linspace(-1, 1, 17)
        down = {
            'buzz': _HAIRLINE + 0.45 * u**4,
            'short': _HAIRLINE - 0.08 * np.cos(3 * u) + 0.5 * u**4,
            'side part': _HAIRLINE
            + 0.4 * np.abs(u - self.parting) * (0.6 + 0.4 * u * np.sign(self.parting))
            - 0.12,
            'fringe': np.full(17, -0.34) + 0.04 * np.sin(u * 12) + 0.35 * u**8,
            'curly': _HAIRLINE + 0.05 * np.sin(u * 14) + 0.55 * u**4,
            'bob': -0.42 - 0.05 * np.sin(5 * u) + 0.75 * u**6,
            'long': -0.92 + 0.85 * np.abs(u - self.parting * 0.5) ** 0.8,
            'bun': _HAIRLINE - 0.1 + 0.4 * u**2,
            'crest': -0.62 - 0.5 * (1 - u**2),
        }[style]
        if style == 'crest':
            crown = np.stack([0.22 * np.cos(angle), -0.7 + 0.62 * np.sin(angle)], 1)
            u = u * 0.2
            down = np.full(17, -0.6)
            hairline = np.stack([u, down], axis=1)
        else:
            # At the sides of the head the hairline follows the outline.
            edge = self.width * np.sqrt(np.clip(1 - np.minimum(down, 0) ** 2, 0.02, 1))
            hairline = np.stack([u * np.minimum(edge, self.width), down], axis=1)
        shape = np.concatenate([crown, hairline])
        canvas.polygon(
            pose.place(shape, lift=0.03), self.hair, 0.75 if style == 'buzz' else 1
        )
        if style == 'bun':
            bun = ellipse(0, -1.2, 0.3, 0.26)
            canvas.polygon(pose.place(bun), self.hair)
        if style in ('bob', 'long'):
            drop = 0.8 if style == 'bob' else 1.2
            for side in (-1, 1):
                lock = superellipse(
                    side * (self.width + 0.07), drop / 2 - 0.3, 0.13, drop / 2 + 0.3, 3
                )
                canvas.polygon(pose.place(lock), self.hair)
        gloss = np.stack([np.linspace(-0.35, 0.1, 6), np.full(6, -0.86)], axis=1)
        if style in ('short', 'side part', 'fringe', 'bob', 'bun'):
            canvas.stroke(
                pose.place(gloss), 0.06 * pose.unit, shade(self.hair, 1.35), 0.5
            )

    def _draw_glasses(self, canvas: Canvas, pose: HeadPose) -> None:
        if self.glasses == 'none':
            return
        width = 0.055 * pose.unit
        power = 2.0 if self.glasses == 'round' else 4.5
        for side in (-1, 1):
            lens = superellipse(
                side * (self.eye_distance + 0.01), 0.03, 0.235, 0.19, power
            )
            if self.glasses == 'half':
                lens[:, 1] = np.maximum(lens[:, 1], 0.0)
            rim = pose.place(np.vstack([lens, lens[:1]]), lift=0.08)
            canvas.polygon(rim, (225, 235, 240), 0.16)
            canvas.stroke(rim, width, self.frame_color)
            arm = [[side * (self.eye_distance + 0.22), 0], [side * self.width, -0.03]]
            canvas.stroke(pose.place(arm), width, self.frame_color)
        bridge = [[-0.08, 0.0], [0.08, 0.0]]
        canvas.stroke(pose.place(bridge, lift=0.1), width, self.frame_color)
