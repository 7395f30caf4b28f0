import { LabIcon } from '@jupyterlab/ui-components';

/** A sheet's lines leaving their tray. */
const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16">
  <g class="jp-icon3" fill="#616161">
    <path d="M2 8.5h1.5v4h9v-4H14V14H2z"/>
    <path d="M8 1.2 11.8 5l-1 1-2.1-2v6.5H7.3V4L5.2 6l-1-1z"/>
  </g>
</svg>`;

export const exportsIcon = new LabIcon({
  name: 'jupyter-export:exports',
  svgstr: svg
});
