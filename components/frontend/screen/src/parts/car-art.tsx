// A drawing of a car for lists and pages: the same colour for the same car.

export const CarArt = ({ carId }: { carId: number }) => (
  <svg class="car-art" data-tone={carId % 6} viewBox="0 0 120 64" aria-hidden="true" focusable="false">
    <ellipse class="shadow" cx="60" cy="55" rx="50" ry="4" />
    <path class="body" d="M8 44c0-7 4-11 13-12l12-2 13-13c3-3 6-4 11-4h18c5 0 9 2 13 5l13 12 8 2c6 2 9 6 9 12v4c0 2-1 3-3 3H11c-2 0-3-1-3-3z" />
    <path class="glass" d="M41 30l9-10c2-2 4-3 7-3h8v13zM69 17h7c3 0 6 1 8 3l11 10H69z" />
    <circle class="wheel" cx="31" cy="50" r="9" />
    <circle class="hub" cx="31" cy="50" r="4" />
    <circle class="wheel" cx="91" cy="50" r="9" />
    <circle class="hub" cx="91" cy="50" r="4" />
    <path class="light" d="M108 36h5M9 40h5" />
  </svg>
);
